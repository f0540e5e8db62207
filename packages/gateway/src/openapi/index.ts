export { type OpenApiTargetOptions, openApiTarget } from "./openapi-target.ts";
