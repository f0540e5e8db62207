import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { nodeListener } from "@ashlar/gateway/node";
import express from "express";
import { demoGateway, tryOut } from "./demo.ts";

const gateway = demoGateway();
const app = express();
app.get("/own", (_, response) => response.send("the app's own route"));
// Before any body parser: the gateway reads the body itself.
app.use(nodeListener(gateway));
const server = app.listen(0, "127.0.0.1");
await once(server, "listening");

await tryOut(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
server.close();
await gateway.close();
