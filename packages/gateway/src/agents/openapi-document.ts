import { z } from "zod";
import type { AgentDescription } from "../agent-sessions.ts";
import type { Json } from "../dialect.ts";
import { type AgentOperation, operations } from "./operations.ts";
import { agentPage, problemBody, streamedEvent } from "./schemas.ts";

type Schema = { readonly [key: string]: Json };

/** OpenAPI 3.1 of the agents that somebody may see, each at its own address and with its own schemas. */
export function agentsDocument(agents: readonly AgentDescription[], prefix: string): object {
  const paths: Record<string, object> = {
    [prefix]: {
      get: {
        operationId: "list_agents",
        summary: "The published agents that the caller may see",
        parameters: [parameter("cursor", "query", "From the page before", false)],
        responses: { 200: answered("The agents", schemaOf(agentPage)), ...refusals },
      },
    },
  };
  for (const agent of new Map(agents.map((each) => [each.name, each])).values()) {
    for (const operation of operations) {
      const path = [prefix, encodeURIComponent(agent.name), ...operation.path].join("/");
      paths[path] = { [operation.method.toLowerCase()]: described(agent, operation) };
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Agents", version: "1" },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: { Event: schemaOf(streamedEvent), Problem: schemaOf(problemBody) },
    },
  };
}

function described(agent: AgentDescription, operation: AgentOperation): object {
  const { id, summary, query = {}, path, body, bodyOptional, status } = operation;
  const parameters = [
    ...(path.includes("{session}") ? [parameter("session", "path", "A session of this agent", true)] : []),
    ...Object.entries(query).map(([name, text]) => parameter(name, "query", text, false)),
    ...(id === "events" ? [parameter("Last-Event-ID", "header", "The last event that was seen", false)] : []),
  ];
  return {
    operationId: `${id}_${agent.name}`,
    summary,
    tags: [agent.name],
    ...(agent.description === undefined ? {} : { description: agent.description }),
    parameters,
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: bodyOptional !== true,
            content: { "application/json": { schema: withPart(schemaOf(body), "input", agent.inputSchema) } },
          },
        }),
    responses: { [status]: success(operation, agent), ...refusals },
  };
}

function success({ summary, answer, streamed, socket }: AgentOperation, agent: AgentDescription): object {
  if (socket !== undefined) {
    return { description: summary, "x-websocket": { says: schemaOf(socket.says), hears: schemaOf(socket.hears) } };
  }
  if (answer === undefined) return { description: summary };
  if (streamed) {
    const item = { $ref: "#/components/schemas/Event" };
    return {
      description: summary,
      content: { "text/event-stream": { schema: { type: "string" }, "x-event-data": item } },
    };
  }
  return answered(summary, withPart(schemaOf(answer), "output", agent.outputSchema));
}

/** What an agent says of its own input or output stands in the place of "anything". */
function withPart(schema: Schema, part: string, own: Json | undefined): Schema {
  const { properties } = schema as { readonly properties?: Schema };
  if (own === undefined || properties?.[part] === undefined) return schema;
  return { ...schema, properties: { ...properties, [part]: own } };
}

const answered = (description: string, schema: Schema): object => ({
  description,
  content: { "application/json": { schema } },
});

const parameter = (name: string, place: string, description: string, required: boolean): object => ({
  name,
  in: place,
  description,
  required,
  schema: { type: "string" },
});

const refusals = {
  default: {
    description: "RFC 9457 problem details",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  },
};

function schemaOf(schema: z.ZodType): Schema {
  const { $schema: _, ...written } = z.toJSONSchema(schema, { unrepresentable: "any" });
  return written as Schema;
}
