/** One WebSocket, as the gateway speaks to it: an adapter makes it of whatever its server has. */
export interface SocketChannel {
  /** Text messages as they come; ends with the connection. Not read means not taken from the peer. */
  readonly messages: AsyncIterable<string>;
  /** Resolves once the message has left this process; resolves too when the connection is gone. */
  send(text: string): Promise<void>;
  /** RFC 6455: 1000 normal, 1001 going away, 1008 policy, 1011 error. */
  close(code: number, reason: string): void;
}

/** What becomes of a request for a WebSocket that was let in. */
export interface SocketAcceptance {
  readonly maxMessageBytes: number;
  /** Speaks until one side ends, then closes. Never rejects. */
  run(channel: SocketChannel): Promise<void>;
}
