import { Problem } from "./problem.js";

/** How often and how patiently requests are repeated; times are in milliseconds. */
export interface Retries {
  /** How often a request is sent at most. 5; 1 never repeats. */
  attempts: number;
  /** The longest pause before the first repetition; each further one may be twice as long. 100. */
  base: number;
  /** The longest pause. 5000. */
  longest: number;
  /** The longest Retry-After that is waited for. 30000. */
  longestAsked: number;
}

export function withDefaults(retries: Partial<Retries> = {}): Retries {
  return { attempts: 5, base: 100, longest: 5_000, longestAsked: 30_000, ...retries };
}

// The routes whose POST takes an Idempotency-Key; a test holds the list to the document.
export const keyed: readonly string[] = [
  "/api/v1/auth/api-keys",
  "/api/v1/auth/register",
  "/api/v1/memories",
  "/api/v1/neurons",
  "/api/v1/signal",
  "/api/v1/signals",
  "/api/v1/users",
];

export function takesKey(method: string, path: string): boolean {
  return method === "POST" && keyed.includes(path);
}

/**
 * After which failures a request may be sent again: never, only if it was refused and so
 * had no effect, or always, even if its answer was lost.
 */
export type Repetition = "never" | "refused" | "always";

export function repeatable(method: string, path: string, headers: Headers): Repetition {
  switch (method) {
    case "GET":
      return "always";
    case "PUT":
    case "DELETE":
      // The old password and the old version are no longer right after the first.
      return path.endsWith("/password") || headers.has("If-Match") || headers.has("If-None-Match") ? "refused" : "always";
    default:
      return headers.has("Idempotency-Key") ? "always" : "never";
  }
}

/** How long to wait before a request is sent again; undefined if it must not be. */
export function pauseBefore(attempt: number, failure: unknown, again: Repetition, retries: Retries): number | undefined {
  if (again === "never") return undefined;
  const pause = Math.random() * Math.min(retries.base * 2 ** (attempt - 1), retries.longest);
  if (!(failure instanceof Problem)) return again === "always" ? pause : undefined;
  if (failure.retryAfter > retries.longestAsked) return undefined;
  switch (failure.status) {
    case 429:
    case 503:
      return failure.retryAfter + pause;
    case 409: // the first of two requests with this key is under way
      return failure.retryAfter > 0 ? failure.retryAfter + pause : undefined;
    case 502:
    case 504:
      return again === "always" ? failure.retryAfter + pause : undefined;
    default:
      return undefined;
  }
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      signal?.removeEventListener("abort", left);
      resolve();
    }
    function left() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", left, { once: true });
  });
}
