import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  httpFunctionsTarget,
  mcpTarget,
  type Target,
  type TargetAuth,
  type TargetFactory,
  type ToolSource,
} from "@ashlar/gateway";
import { stdioTarget } from "@ashlar/gateway/node";
import { openApiTarget } from "@ashlar/gateway/openapi";
import type { TargetDefinition } from "./definition.ts";

export interface BuiltIn {
  readonly sandbox: ToolSource;
  readonly memory: (name: string) => ToolSource;
}

/** A definition as what the gateway takes. `folder` is where a document named by a path lies. */
export async function targetOf(
  name: string,
  definition: TargetDefinition,
  { builtIn, folder }: { readonly builtIn: BuiltIn; readonly folder: string },
): Promise<Target | TargetFactory> {
  switch (definition.kind) {
    case "sandbox":
      return named(name, builtIn.sandbox);
    case "memory":
      return named(name, builtIn.memory(definition.memory));
    case "mcp":
      return mcpTarget({ name, url: definition.url, ...authOf(definition) });
    case "stdio": {
      const { command, environment } = definition;
      return stdioTarget({ name, command, folder, ...(environment === undefined ? {} : { environment }) });
    }
    case "openapi": {
      const { document, base_url: baseUrl } = definition;
      return openApiTarget({
        name,
        document: URL.canParse(document) ? new URL(document) : await readFile(join(folder, document), "utf8"),
        ...(baseUrl === undefined ? {} : { baseUrl }),
        ...authOf(definition),
      });
    }
    case "http_functions": {
      const tools = definition.tools.map(({ input_schema: inputSchema, ...tool }) => ({ ...tool, inputSchema }));
      return httpFunctionsTarget({ name, url: definition.url, tools, ...authOf(definition) });
    }
  }
}

const named = (name: string, source: ToolSource): Target => ({
  name,
  list: (context) => source.list(context),
  call: (context, tool, args) => source.call(context, tool, args),
});

function authOf({ auth }: { readonly auth?: { readonly credential_ref: string } }): { readonly auth?: TargetAuth } {
  return auth === undefined ? {} : { auth: { credentialRef: auth.credential_ref } };
}
