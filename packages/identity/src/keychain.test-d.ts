import type { AsyncEntry } from "@napi-rs/keyring";
import type { KeychainEntry } from "./keychain.ts";

/** The slice is one that the library's asynchronous entry has. */
export const entry: (entry: AsyncEntry) => KeychainEntry = (each) => each;
