/** The commands that are sent; an ioredis `Redis` or `Cluster` has them. */
export interface RedisClient {
  eval(script: string, keys: number, ...rest: (string | number)[]): Promise<unknown>;
  hset(key: string, ...fields: string[]): Promise<unknown>;
  hgetall(key: string): Promise<Record<string, string>>;
  hdel(key: string, ...fields: string[]): Promise<unknown>;
}
