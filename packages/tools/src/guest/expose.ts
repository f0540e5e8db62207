import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { Duplex } from "node:stream";
import type { Endpoint } from "../sandbox.ts";
import type { GuestCall, GuestChannel } from "./channel.ts";

/** Listens on a free loopback port of the host and carries each connection to a port inside. */
export async function exposePort(channel: GuestChannel, port: number, servers: Set<Server>): Promise<Endpoint> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let owed = 0;
    const call: GuestCall = channel.call(
      "connect",
      { port },
      {
        onData(_, data) {
          owed += data.length;
          inner.push(Buffer.from(data));
        },
        onEnd: () => inner.push(null),
      },
    );
    const inner: Duplex = new Duplex({
      read() {
        if (owed > 0) call.grant(1, owed);
        owed = 0;
      },
      write: (data: Buffer, _, done) => void call.send(data).then(() => done(), done),
      final: (done) => {
        call.end();
        done();
      },
    });
    socket.on("error", () => call.cancel());
    call.result.then(
      () => socket.end(),
      () => socket.destroy(),
    );
    socket.pipe(inner).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.add(server);
  const address = server.address();
  return {
    host: "127.0.0.1",
    port: typeof address === "object" && address !== null ? address.port : 0,
    async close() {
      servers.delete(server);
      server.close();
    },
  };
}
