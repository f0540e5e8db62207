import { ToolsError } from "../errors.ts";
import type { Point } from "./page-input.ts";
import type { ElementHandle } from "./page-snapshot.ts";

type Quad = readonly [number, number, number, number, number, number, number, number];

/** The middle of an element in pixels of the viewport, after it was scrolled into view. */
export async function pointOf(element: ElementHandle): Promise<Point> {
  const { frame, backendNodeId } = element;
  try {
    await frame.send("DOM.scrollIntoViewIfNeeded", { backendNodeId });
    const { quads } = await frame.send<{ readonly quads: readonly Quad[] }>("DOM.getContentQuads", { backendNodeId });
    const quad = quads.find((each) => area(each) > 0.5);
    if (quad === undefined) throw gone("has no place on the page");
    const [x1, y1, x2, y2, x3, y3, x4, y4] = quad;
    const { x, y } = await offsetOf(frame.owner);
    return { x: Math.round((x1 + x2 + x3 + x4) / 4 + x), y: Math.round((y1 + y2 + y3 + y4) / 4 + y) };
  } catch (error) {
    if (ToolsError.is(error) && error.code === "TOOLS_PAGE_FAILED" && /DOM\.|node/i.test(error.message)) {
      throw gone("is no longer on the page, or is not shown");
    }
    throw error;
  }
}

/** Where a frame of another process begins in the viewport. */
async function offsetOf(owner: ElementHandle | undefined): Promise<Point> {
  if (owner === undefined) return { x: 0, y: 0 };
  const { model } = await owner.frame.send<{ readonly model: { readonly content: Quad } }>("DOM.getBoxModel", {
    backendNodeId: owner.backendNodeId,
  });
  const above = await offsetOf(owner.frame.owner);
  return { x: model.content[0] + above.x, y: model.content[1] + above.y };
}

/** Calls a function of the page's own language on an element; `this` is the element. */
export async function callOn<Result>(
  { frame, backendNodeId }: ElementHandle,
  functionDeclaration: string,
  ...args: readonly unknown[]
): Promise<Result> {
  const { object } = await frame.send<{ readonly object: { readonly objectId: string } }>("DOM.resolveNode", {
    backendNodeId,
  });
  const { result, exceptionDetails } = await frame.send<{
    readonly result: { readonly value: Result };
    readonly exceptionDetails?: { readonly exception?: { readonly description?: string } };
  }>("Runtime.callFunctionOn", {
    objectId: object.objectId,
    functionDeclaration,
    arguments: args.map((value) => ({ value })),
    returnByValue: true,
    userGesture: true,
  });
  if (exceptionDetails === undefined) return result.value;
  throw new ToolsError("TOOLS_PAGE_FAILED", exceptionDetails.exception?.description?.slice(0, 300) ?? "It failed.");
}

export const gone = (what: string): ToolsError =>
  new ToolsError("TOOLS_UNKNOWN_ELEMENT", `The element ${what}: take another snapshot.`);

function area([x1, y1, x2, y2, x3, y3, x4, y4]: Quad): number {
  return Math.abs((x1 * y2 - x2 * y1 + x2 * y3 - x3 * y2 + x3 * y4 - x4 * y3 + x4 * y1 - x1 * y4) / 2);
}
