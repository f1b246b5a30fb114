// A client of the HAL9 data service, on fetch alone. Paths, parameters, bodies and answers
// are typed by schema.ts, which is generated from the service's OpenAPI document.

import type { components, paths } from "./schema.js";
import { Problem, problemOf } from "./problem.js";
import { pauseBefore, repeatable, sleep, takesKey, withDefaults, type Retries } from "./retries.js";

export { Problem, type Field } from "./problem.js";
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

type Sent = RequestInit & { method: string; headers: Headers };

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
   * Sends signals, one JSON object a line, in one request. It is not repeated: give each
   * signal an id (UUIDv7), and send all again after a failure. A Problem's stream tells
   * what was decided. For streams of any length there is Load of the Go client.
   */
  async load(signals: Iterable<Schema<"SignalFields">>, signal?: AbortSignal): Promise<Schema<"BulkResult">> {
    let lines = "";
    for (const s of signals) lines += JSON.stringify(s) + "\n";
    const answer = (await this.#call("POST", "/api/v1/signals/bulk", { ...(signal ? { signal } : {}) }, lines)) as { data: Schema<"BulkResult"> };
    return answer.data;
  }

  async #call(method: string, template: string, request: Untyped | undefined, lines?: string): Promise<unknown> {
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
    if (r.signal) init.signal = r.signal;
    const suffix = query.size > 0 ? `?${query}` : "";
    const response = await this.#send(this.#base + path + suffix, init, template);
    if (response.status === 304) return undefined;
    const isJSON = response.headers.get("Content-Type")?.includes("json");
    return isJSON ? response.json() : response.text();
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
      if (failure instanceof Problem && failure.status === 401 && token !== undefined && this.#options.login && !renewed) {
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
