export { JwtAuthenticator, type JwtAuthenticatorOptions } from "./jwt-authenticator.ts";
