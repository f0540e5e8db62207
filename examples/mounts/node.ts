import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nodeListener } from "@ashlar/gateway/node";
import { demoGateway, tryOut } from "./demo.ts";

const gateway = demoGateway();
const listener = nodeListener(gateway);
const server = createServer((request, response) => {
  if (request.url === "/own") response.end("the app's own route");
  else listener(request, response);
}).listen(0, "127.0.0.1");
await once(server, "listening");

await tryOut(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
server.close();
await gateway.close();
