/** The commands this store sends; an ioredis `Redis` or `Cluster` has them. */
export interface RedisClient {
  evalsha(sha1: string, keys: number, args: string[]): Promise<unknown>;
  eval(script: string, keys: number, args: string[]): Promise<unknown>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, condition: "NX"): Promise<unknown>;
  smembers(key: string): Promise<string[]>;
  hlen(key: string): Promise<number>;
  zadd(key: string, score: number, member: string): Promise<unknown>;
  zrangebylex(key: string, min: string, max: string, limit: "LIMIT", offset: number, count: number): Promise<string[]>;
}
