import { literalRedactor } from "../internal/literal-redactor.ts";
import type { OAuthChallenge, TargetOAuth } from "../target-oauth.ts";
import type { OutboundResponse } from "../transport.ts";
import { RedactedResponse, type Send } from "./authorised-sender.ts";

/** A server that goes on asking is given up. */
const MAX_CHALLENGES = 3;

/** Sends with the token that a server asks for; it refused before it did anything, so the same request goes again. */
export function challengedSender(send: Send, oauth: TargetOAuth): Send {
  return async (context, request, options) => {
    for (let challenges = 0; ; challenges++) {
      const token = await oauth.token(context);
      const headers = token === undefined ? request.headers : { ...request.headers, authorization: `Bearer ${token}` };
      const sent = await send(context, { ...request, headers }, options);
      const response = token === undefined ? sent : new RedactedResponse(sent, literalRedactor(token));
      const challenge = challengeOf(request.url, sent);
      if (challenge === undefined || challenges >= MAX_CHALLENGES || request.body instanceof ReadableStream) {
        return response;
      }
      if (!(await oauth.challenged(context, challenge))) return response;
      await sent.bytes();
    }
  };
}

function challengeOf(url: string, { status, headers }: OutboundResponse): OAuthChallenge | undefined {
  const header = headers["www-authenticate"];
  const scope = status === 403 && header?.includes("insufficient_scope") === true;
  return status === 401 || scope ? { url, status, header } : undefined;
}
