import { Container } from "inversify";
import { expect, test } from "vitest";
import { InMemorySessions } from "../testing/in-memory-sessions.ts";
import { CONSOLE, consoleModule, PERMISSIONS, SESSION_CONTROL, SESSION_READER } from "./index.ts";

const authenticate = async () => ({ tenant: "acme" });
const me = async (container: Container) =>
  (await container.get(CONSOLE)(new Request("http://h/console/api/me"))).json();

test("the console module shows with a reader alone, and acts when control and permissions are bound", async () => {
  const shows = new Container();
  shows.bind(SESSION_READER).toConstantValue(new InMemorySessions());
  shows.load(consoleModule({ authenticate }));
  expect(await me(shows)).toEqual({ actions: false, check: false, traces: false, evaluations: false });
  expect(() => shows.load(consoleModule({ authenticate }))).toThrow(/already bound/);

  const acts = new Container();
  const sessions = new InMemorySessions();
  acts.bind(SESSION_READER).toConstantValue(sessions);
  acts.bind(SESSION_CONTROL).toConstantValue(sessions);
  acts.bind(PERMISSIONS).toConstantValue({ decide: async () => ({ effect: "deny" as const, reason: "no" }) });
  acts.load(consoleModule({ authenticate }));
  expect(await me(acts)).toMatchObject({ actions: true, check: true });
});
