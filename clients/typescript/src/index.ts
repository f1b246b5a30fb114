// A client of the HAL9 data service, on fetch alone. Paths, parameters, bodies and answers
// are typed by schema.ts, which is generated from the service's OpenAPI document.

import type { components, paths } from "./schema.js";
import { Problem, problemOf } from "./problem.js";
import { pauseBefore, repeatable, sleep, takesKey, withDefaults, type Repetition, type Retries } from "./retries.js";
import { addResult, emptyResult, eventsOf, StreamEnd, streamOf, type Event } from "./streams.js";

export { Problem, type Field } from "./problem.js";
export { StreamEnd, type Event } from "./streams.js";
export type { Retries } from "./retries.js";
export type { components, paths } from "./schema.js";

/** A type of the API by its name, as in Schema<"Neuron">. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

type Method = "get" | "post" | "put" | "patch" | "delete";
type PathsWith<M extends Method> = { [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never }[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;
type Parameters<O, In extends string> = O extends { parameters: infer Q } ? (In extends keyof Q ? Exclude<Q[In], undefined> : never) : never;
type JSONBody<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? B : never;
type Part<Name extends string, T> = [T] extends [never] ? unknown : {} extends T ? { [K in Name]?: T } : { [K in Name]: T };
type Content<R> = R extends { content: infer C } ? ("application/json" extends keyof C ? C["application/json"] : C[keyof C]) : undefined;
type Success = 200 | 201 | 202 | 207;

/** What an operation answers when it succeeds. */
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R } ? { [S in keyof R & Success]: Content<R[S]> }[keyof R & Success] : never;

/** What a call is given: the parameters of the path and the query, and the body. */
export type Request<P extends keyof paths, M extends Method> = Part<"path", Parameters<Operation<P, M>, "path">> &
  Part<"query", Parameters<Operation<P, M>, "query">> &
  Part<"body", JSONBody<Operation<P, M>>> & {
    headers?: Record<string, string>;
    signal?: AbortSignal;
  };

type Arguments<P extends keyof paths, M extends Method> = {} extends Request<P, M> ? [request?: Request<P, M>] : [request: Request<P, M>];

export interface Options {
  /** An API key, the way for programs: there is nothing to renew. */
  apiKey?: string;
  /** Logs in when the first request is made, and again when the session has ended. */
  login?: Schema<"LoginBody">;
  retries?: Partial<Retries>;
  /** fetch by default. */
  fetch?: typeof fetch;
}

interface Untyped {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

type Sent = RequestInit & { method: string; headers: Headers; duplex?: "half" };

// renewBefore is how long before its end an access token is renewed, in milliseconds.
const renewBefore = 30_000;

export class Client {
  readonly #base: string;
  readonly #options: Options;
  readonly #retries: Retries;
  #grant: { access: string; refresh: string; expires: number } | undefined;
  #renewing: Promise<string> | undefined;

  constructor(address: string, options: Options = {}) {
    this.#base = address.replace(/\/+$/, "");
    this.#options = options;
    this.#retries = withDefaults(options.retries);
  }

  get<P extends PathsWith<"get">>(path: P, ...[request]: Arguments<P, "get">): Promise<Answer<P, "get">> {
    return this.#call("GET", path, request) as Promise<Answer<P, "get">>;
  }
  post<P extends PathsWith<"post">>(path: P, ...[request]: Arguments<P, "post">): Promise<Answer<P, "post">> {
    return this.#call("POST", path, request) as Promise<Answer<P, "post">>;
  }
  put<P extends PathsWith<"put">>(path: P, ...[request]: Arguments<P, "put">): Promise<Answer<P, "put">> {
    return this.#call("PUT", path, request) as Promise<Answer<P, "put">>;
  }
  patch<P extends PathsWith<"patch">>(path: P, ...[request]: Arguments<P, "patch">): Promise<Answer<P, "patch">> {
    return this.#call("PATCH", path, request) as Promise<Answer<P, "patch">>;
  }
  delete<P extends PathsWith<"delete">>(path: P, ...[request]: Arguments<P, "delete">): Promise<Answer<P, "delete">> {
    return this.#call("DELETE", path, request) as Promise<Answer<P, "delete">>;
  }

  /** Goes through a list page by page. */
  async *all<P extends PathsWith<"get">>(path: P, ...[request]: Arguments<P, "get">): AsyncGenerator<Item<Answer<P, "get">>> {
    const first: Untyped = (request ?? {}) as Untyped;
    for (let cursor: unknown = undefined; ; ) {
      const query = cursor === undefined ? first.query : { ...first.query, cursor };
      const page = (await this.#call("GET", path, { ...first, ...(query ? { query } : {}) })) as { data: Item<Answer<P, "get">>[]; next_cursor: string | null };
      yield* page.data;
      if (page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }

  /**
   * Sends a stream of signals and goes on where the service stopped reading: either
   * signals, or what opens their lines (NDJSON, bytes) from an offset on. The result counts
   * all lines; bad ones take no other along. If a connection breaks before the answer, what
   * was stored is unknown, and the error is thrown: signals that have an id (UUIDv7) may
   * then all be sent again.
   */
  async load(
    source: Iterable<Schema<"SignalFields">> | ((offset: number) => AsyncIterable<Uint8Array>),
    signal?: AbortSignal,
  ): Promise<Schema<"BulkResult">> {
    const open = typeof source === "function" ? source : linesOf(source);
    const total = emptyResult();
    for (let failures = 0; ; ) {
      try {
        const request = signal ? { signal } : {};
        const answer = (await this.#call("POST", "/api/v1/signals/bulk", request, streamOf(open(total.resume.offset)))) as { data: Schema<"BulkResult"> };
        addResult(total, answer.data);
        return total;
      } catch (failure) {
        if (failure instanceof Problem && failure.stream) {
          if (failure.stream.resume.offset > 0) failures = 0; // it goes on, so patience begins anew
          addResult(total, failure.stream);
        }
        await this.#rest(++failures, failure, "refused", signal);
      }
    }
  }

  /**
   * Listens to signals as they are committed, until the caller breaks off. It comes back
   * where it was when the connection breaks or the service restarts; at another server
   * signals of the last 90 seconds may come again.
   */
  async *tail(request: Request<"/api/v1/signals/stream", "get"> = {}): AsyncGenerator<Event> {
    const headers: Record<string, string> = { ...request.headers };
    for (let failures = 0; ; ) {
      let failure: unknown = new TypeError("the stream ended");
      try {
        const response = await this.#response("GET", "/api/v1/signals/stream", { ...request, headers } as Untyped);
        for await (const event of eventsOf(response.body as ReadableStream<Uint8Array>)) {
          failures = 0;
          if (event.id) headers["Last-Event-ID"] = event.id;
          if (event.signal || event.gap) yield event;
        }
      } catch (error) {
        failure = error;
      }
      if (failure instanceof StreamEnd && failure.reason === "revoked") throw failure;
      await this.#rest(++failures, failure, "always", request.signal);
    }
  }

  // rest waits before a stream is begun again, or throws why it must not be.
  async #rest(failures: number, failure: unknown, again: Repetition, signal?: AbortSignal): Promise<void> {
    const pause = signal?.aborted || failures >= this.#retries.attempts ? undefined : pauseBefore(failures, failure, again, this.#retries);
    if (pause === undefined) throw failure;
    await sleep(pause, signal);
  }

  async #call(method: string, template: string, request?: Untyped, lines?: ReadableStream<Uint8Array>): Promise<unknown> {
    const response = await this.#response(method, template, request, lines);
    if (response.status === 304) return undefined;
    return response.headers.get("Content-Type")?.includes("json") ? response.json() : response.text();
  }

  async #response(method: string, template: string, request?: Untyped, lines?: ReadableStream<Uint8Array>): Promise<Response> {
    const r = request ?? {};
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(r.path?.[name])));
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(r.query ?? {})) {
      if (value !== undefined && value !== null) query.set(name, String(value));
    }
    const headers = new Headers(r.headers);
    if (lines !== undefined) headers.set("Content-Type", "application/x-ndjson");
    else if (r.body !== undefined) headers.set("Content-Type", "application/json");
    if (takesKey(method, template) && !headers.has("Idempotency-Key")) headers.set("Idempotency-Key", crypto.randomUUID());
    const init: Sent = { method, headers };
    const body = lines ?? (r.body === undefined ? undefined : JSON.stringify(r.body));
    if (body !== undefined) init.body = body;
    if (lines !== undefined) init.duplex = "half";
    if (r.signal) init.signal = r.signal;
    const suffix = query.size > 0 ? `?${query}` : "";
    return this.#send(this.#base + path + suffix, init, template);
  }

  // send sends a request, again where that does no harm, and throws a Problem for a failure.
  async #send(url: string, init: Sent, template: string): Promise<Response> {
    const headers = init.headers;
    const again = repeatable(init.method, template, headers);
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      let failure: unknown;
      const isLogin = template === "/api/v1/auth/login" || template === "/api/v1/auth/refresh";
      const token = isLogin ? undefined : await this.#token();
      if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
      try {
        const response = await (this.#options.fetch ?? fetch)(url, { ...init, headers });
        if (response.status < 400) return response;
        failure = await problemOf(response);
      } catch (error) {
        failure = error;
      }
      if (failure instanceof Problem && failure.status === 401 && token !== undefined && this.#options.login && !renewed && !(init.body instanceof ReadableStream)) {
        // Refused before it had any effect, so any request may come again.
        renewed = true;
        if (this.#grant?.access === token) this.#grant = { ...this.#grant, expires: 0 };
        attempt--;
        continue;
      }
      const pause = init.signal?.aborted || attempt >= this.#retries.attempts ? undefined : pauseBefore(attempt, failure, again, this.#retries);
      if (pause === undefined) throw failure;
      await sleep(pause, init.signal ?? undefined);
    }
  }

  async #token(): Promise<string | undefined> {
    if (this.#options.apiKey !== undefined) return this.#options.apiKey;
    if (!this.#options.login) return undefined;
    if (this.#grant && this.#grant.expires - Date.now() > renewBefore) return this.#grant.access;
    // One renewal at a time: a refresh token that comes twice looks stolen.
    this.#renewing ??= this.#renew(this.#options.login).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renew(login: Schema<"LoginBody">): Promise<string> {
    const refresh = this.#grant?.refresh;
    this.#grant = undefined; // good once, whatever becomes of the answer
    let answer: Answer<"/api/v1/auth/login", "post"> | undefined;
    if (refresh !== undefined) {
      answer = await this.post("/api/v1/auth/refresh", { body: { refresh_token: refresh } }).catch(() => undefined);
    }
    answer ??= await this.post("/api/v1/auth/login", { body: login });
    const grant = answer.data;
    this.#grant = { access: grant.access_token, refresh: grant.refresh_token, expires: Date.now() + grant.expires_in * 1000 };
    return grant.access_token;
  }
}

type Item<A> = A extends { data: (infer T)[] } ? T : never;

// linesOf writes signals as lines, and passes over the bytes before an offset.
function linesOf(signals: Iterable<Schema<"SignalFields">>): (offset: number) => AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  const all = [...signals];
  return async function* (offset) {
    let at = 0;
    for (const s of all) {
      const line = encoder.encode(JSON.stringify(s) + "\n");
      if (at >= offset) yield line;
      at += line.length;
    }
  };
}
