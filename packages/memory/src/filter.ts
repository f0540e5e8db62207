/**
 * A condition on a hit's own field (`actor`, `session`, `branch`, `kind`, `namespace`, `subject`, `author`,
 * `confidence`, `at`) or on `metadata.<name>`. All conditions of a query must hold; a field that is absent meets only
 * `NOT` and `EXISTS` with `false`. `BEFORE` and `AFTER` compare instants, `GT` and `LT` numbers.
 */
export type Filter =
  | { readonly field: string; readonly operator: "EQUALS" | "NOT"; readonly value: string | number | boolean }
  | { readonly field: string; readonly operator: "IN"; readonly value: readonly (string | number | boolean)[] }
  | { readonly field: string; readonly operator: "CONTAINS"; readonly value: string }
  | { readonly field: string; readonly operator: "GT" | "LT" | "BEFORE" | "AFTER"; readonly value: number }
  | { readonly field: string; readonly operator: "EXISTS"; readonly value: boolean };
