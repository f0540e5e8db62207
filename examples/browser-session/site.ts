import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Expense {
  readonly employee: string;
  readonly amount: string;
  readonly category: string;
  readonly purpose: string;
}

const STYLE = `body { margin: 0; font: 17px/1.5 system-ui, "DejaVu Sans", sans-serif; background: #eef2f1; color: #1d2b2a }
header { background: #0f4c4a; color: #fff; padding: 20px 64px; font-size: 21px; font-weight: 600 }
main { max-width: 640px; margin: 48px auto; background: #fff; padding: 36px 44px 44px; border-radius: 14px; box-shadow: 0 8px 32px #0f4c4a22 }
h1 { margin: 0 0 8px; font-size: 28px } p { margin: 0 0 24px; color: #55706d }
label { display: block; margin: 18px 0 6px; font-weight: 600 }
input, select { width: 100%; box-sizing: border-box; font: inherit; padding: 11px 14px; border: 1px solid #b9c8c6; border-radius: 8px; background: #fff }
input:focus, select:focus { outline: 3px solid #1f8f8a55; border-color: #1f8f8a }
button { margin-top: 28px; font: inherit; font-weight: 600; padding: 12px 28px; border: 0; border-radius: 8px; background: #1f8f8a; color: #fff }
.good { font-size: 44px; color: #1f8f8a; margin: 0 }`;

const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><style>${STYLE}</style>
<header>Harbour Expenses</header><main>${body}</main></html>`;

const FORM = page(
  "New expense",
  `<h1>New expense</h1><p>Step 1 of 2: what was it for?</p>
<form method="post" action="/expense">
<label for="employee">Employee</label><input id="employee" name="employee" autocomplete="off">
<label for="amount">Amount in EUR</label><input id="amount" name="amount" inputmode="decimal" autocomplete="off">
<label for="category">Category</label><select id="category" name="category"><option>Meals<option>Travel<option>Equipment</select>
<label for="purpose">Purpose</label><input id="purpose" name="purpose" autocomplete="off">
<button>Continue</button></form>`,
);

const CODE = page(
  "Confirm it is you",
  `<h1>Confirm it is you</h1><p>Step 2 of 2: we have sent a code to your phone.</p>
<form method="post" action="/code"><label for="code">Code</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code"><button>Confirm</button></form>`,
);

const DONE = page(
  "Expense filed",
  `<p class="good">✓</p><h1>Expense filed</h1><p>Reference HX-2047. It will be paid within five days.</p>`,
);

/** A site of this host where an expense is filed in two steps; the second needs a code from a phone. */
export class ExpenseSite {
  readonly code: string = String(randomInt(100_000, 1_000_000));
  readonly filed: Expense[] = [];
  readonly #server = createServer((request, response) => {
    void this.#answer(request).then((html) => response.writeHead(200, { "content-type": "text/html" }).end(html));
  });
  #draft: Expense | undefined;
  port = 0;

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage): Promise<string> {
    if (request.method !== "POST") return FORM;
    let body = "";
    for await (const chunk of request) body += chunk;
    const fields = new URLSearchParams(body);
    const field = (name: string): string => fields.get(name) ?? "";
    if (request.url === "/expense") {
      const [employee, amount, category, purpose] = ["employee", "amount", "category", "purpose"].map(field);
      this.#draft = { employee, amount, category, purpose } as Expense;
      return CODE;
    }
    if (field("code") !== this.code || this.#draft === undefined) return CODE;
    this.filed.push(this.#draft);
    return DONE;
  }
}
