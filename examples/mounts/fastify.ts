import { nodeListener } from "@ashlar/gateway/node";
import Fastify from "fastify";
import { demoGateway, tryOut } from "./demo.ts";

const gateway = demoGateway();
const listener = nodeListener(gateway);
const app = Fastify();
app.get("/own", async () => "the app's own route");
// The gateway reads the body itself: in its scope nothing is parsed.
await app.register(async (scope) => {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
  scope.all("/*", async (request, reply) => {
    reply.hijack();
    listener(request.raw, reply.raw);
  });
});

await tryOut(await app.listen({ port: 0, host: "127.0.0.1" }));
await app.close();
await gateway.close();
