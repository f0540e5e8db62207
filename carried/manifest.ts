/** Which carried file goes where: `to` is below a package's `src/`. */
const all = ["runtime", "memory", "identity", "gateway", "tools", "observability"] as const;

export const carried: readonly { readonly file: string; readonly to: string; readonly packages: readonly string[] }[] =
  [
    { file: "dialect.ts", to: "dialect.ts", packages: all },
    { file: "binding.ts", to: "inversify/binding.ts", packages: all },
    { file: "manual-clock.ts", to: "testing/manual-clock.ts", packages: all },
    { file: "suite.ts", to: "testing/suite.ts", packages: all },
    {
      file: "sqlite.ts",
      to: "internal/sqlite.ts",
      packages: ["runtime", "memory", "identity", "gateway", "observability"],
    },
    { file: "guarded-fetch.ts", to: "internal/guarded-fetch.ts", packages: ["identity", "gateway", "tools"] },
    { file: "frames.ts", to: "internal/frames.ts", packages: ["runtime"] },
  ];
