import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { demoGateway, tryOut } from "./demo.ts";

const gateway = demoGateway();
const app = new Hono();
app.get("/own", (context) => context.text("the app's own route"));
app.all("*", (context) => gateway.fetch(context.req.raw));
const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
await once(server, "listening");

await tryOut(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
server.close();
await gateway.close();
