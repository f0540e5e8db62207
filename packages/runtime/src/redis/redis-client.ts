/** The commands these stores send; an ioredis `Redis` or `Cluster` has them. */
export interface RedisClient {
  evalsha(sha1: string, keys: number, args: string[]): Promise<unknown>;
  eval(script: string, keys: number, args: string[]): Promise<unknown>;
  pipeline(commands: unknown[][]): { exec(): Promise<[error: Error | null, result: unknown][] | null> };
  info(): Promise<string>;
  get(key: string): Promise<string | null>;
  hget(key: string, field: string): Promise<string | null>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  hgetall(key: string): Promise<Record<string, string>>;
  sadd(key: string, member: string): Promise<unknown>;
  smembers(key: string): Promise<string[]>;
  zcard(key: string): Promise<number>;
  zrangebylex(key: string, min: string, max: string, limit: "LIMIT", offset: number, count: number): Promise<string[]>;
  zrevrangebylex(
    key: string,
    max: string,
    min: string,
    limit: "LIMIT",
    offset: number,
    count: number,
  ): Promise<string[]>;
  xrange(
    key: string,
    start: string,
    end: string,
    count: "COUNT",
    most: number,
  ): Promise<[id: string, fields: string[]][]>;
  publish(channel: string, message: string): Promise<unknown>;
  readonly isCluster: boolean;
  /** `ready` while the server answers. */
  readonly status: string;
}

/** A connection that does nothing but listen: in ioredis `client.duplicate()`. It subscribes again by itself. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
}
