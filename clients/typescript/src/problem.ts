import type { components } from "./schema.js";

/** One fault of a request. */
export interface Field {
  /** The place in the request, such as body.layer. */
  location: string;
  message: string;
}

/** A failure that the service answered (RFC 9457). */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    /** The HTTP status, which says what kind of problem it is. */
    readonly status: number,
    /** What is wrong with the request, and what to do. */
    readonly detail: string,
    /** The faults by their place in the request, the first 100. */
    readonly fields: Field[],
    /** "unknown" if a write may or may not have taken effect. */
    readonly outcome: string | undefined,
    /** How far a stream of signals came. */
    readonly stream: components["schemas"]["BulkResult"] | undefined,
    /** How long the service asked to wait, in milliseconds; 0 if it did not. */
    readonly retryAfter: number,
    /** Finds the request in the service's log. */
    readonly requestId: string | null,
  ) {
    super(`${status}: ${detail}`);
  }
}

/** Reads the answer of a failure. */
export async function problemOf(response: Response): Promise<Problem> {
  // What is no problem document comes from something in between, such as a balancer.
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const after = response.headers.get("Retry-After") ?? "";
  const wait = /^\d+$/.test(after) ? Number(after) * 1000 : Math.max(0, Date.parse(after) - Date.now() || 0);
  return new Problem(
    response.status,
    String(body.detail ?? response.statusText),
    (body.errors ?? []) as Field[],
    body.outcome as string | undefined,
    body.data as components["schemas"]["BulkResult"] | undefined,
    wait,
    response.headers.get("X-Request-Id"),
  );
}
