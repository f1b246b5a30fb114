// Runs against the service whose address is in HAL9: node --test dist-test/test
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { Client, Problem } from "../src/index.js";
import { keyed } from "../src/retries.js";

const address = process.env.HAL9 ?? "http://localhost:8080";
const quick = { retries: { base: 1, longest: 10 } };

test("typed calls and pages", async () => {
  const client = new Client(address);
  for (const i of [1, 2, 3, 4, 5]) {
    const sent = await client.post("/api/v1/signal", { body: { content: `n${i}`, layer: "L1", neuron_id: "ts-pages" } });
    assert.match(sent.data.signal_id, /^[0-9a-f-]{36}$/);
  }
  const got: string[] = [];
  for await (const signal of client.all("/api/v1/signals", { query: { neuron: "ts-pages", limit: 2 } })) got.push(signal.content);
  assert.deepEqual(got, ["n5", "n4", "n3", "n2", "n1"]);
  const neuron = await client.get("/api/v1/neurons/{id}", { path: { id: "neuron-l4" } });
  assert.equal(neuron.data.layer, "L4");
  // @ts-expect-error: a body without content is no signal
  await assert.rejects(client.post("/api/v1/signal", { body: { layer: "L1" } }));
  // @ts-expect-error: there is no such path
  await assert.rejects(client.get("/api/v1/nothing"));
});

test("names of neurons in paths", async () => {
  const client = new Client(address);
  for (const id of ["a/b", "a//b", "a/../b", "/", "a?b", "a#b", "50%", "%2F", "a+b", "a/b+c", "a b", "...", "..a", "a\\b", "a;b", "é/東京"]) {
    await client.post("/api/v1/neurons", { body: { id, layer: "L4" } });
    assert.equal((await client.get("/api/v1/neurons/{id}", { path: { id } })).data.id, id);
  }
  for (const id of [".", "..", "a\n"]) {
    await assert.rejects(client.post("/api/v1/neurons", { body: { id, layer: "L4" } }), (e) => e instanceof Problem && e.fields[0]?.location === "body.id");
  }
});

test("problems", async () => {
  await assert.rejects(new Client(address).post("/api/v1/signal", { body: { content: "x", layer: "L9" } }), (e) => {
    assert.ok(e instanceof Problem && e.status === 422 && e.fields[0]?.location === "body.layer" && e.requestId !== null);
    return true;
  });
});

// between answers in place of the service, or loses its answers.
async function between(spoil: (nth: number) => number | "lose" | undefined, use: (url: string) => Promise<void>): Promise<number> {
  let nth = 0;
  const proxy = createServer(async (request, response) => {
    const answer = spoil(++nth);
    if (typeof answer === "number") return void response.writeHead(answer).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = new Headers();
    for (const name of ["content-type", "idempotency-key", "authorization"]) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    const init: RequestInit = { method: request.method ?? "GET", headers };
    if (chunks.length > 0) init.body = Buffer.concat(chunks);
    const got = await fetch(address + request.url, init);
    const body = Buffer.from(await got.arrayBuffer());
    if (answer === "lose") return void request.socket.destroy();
    response.writeHead(got.status, { "Content-Type": got.headers.get("Content-Type") ?? "" }).end(body);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as { port: number };
  try {
    await use(`http://127.0.0.1:${port}`);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
  return nth;
}

test("an answer that is lost is asked for again, and happened once", async () => {
  const sent = await between((nth) => (nth <= 2 ? "lose" : undefined), async (url) => {
    await new Client(url, quick).post("/api/v1/signal", { body: { content: "once", layer: "L1", neuron_id: "ts-once" } });
  });
  assert.equal(sent, 3);
  const stored = await new Client(address).get("/api/v1/signals", { query: { neuron: "ts-once" } });
  assert.equal(stored.data.length, 1);
  const logins = await between(() => "lose", async (url) => {
    await assert.rejects(new Client(url, quick).post("/api/v1/auth/login", { body: { username: "a", password: "b" } }));
  });
  assert.equal(logins, 1, "a login must not be repeated");
});

test("refusals are waited for", async () => {
  const sent = await between((nth) => (nth <= 2 ? 503 : undefined), async (url) => {
    await new Client(url, quick).get("/api/v1/status");
  });
  assert.equal(sent, 3);
});

test("a login, renewed when it has ended", async () => {
  const login = { username: `ts-${process.pid}`, password: "correct horse battery" };
  await new Client(address).post("/api/v1/auth/register", { body: login });
  const client = new Client(address, { login });
  const first = await Promise.all([1, 2, 3].map(() => client.get("/api/v1/auth/profile")));
  assert.equal(first[0]?.data.username, login.username);
  await client.delete("/api/v1/auth/sessions");
  assert.equal((await client.get("/api/v1/auth/profile")).data.username, login.username);
});

test("signals are loaded and listened to", async () => {
  const client = new Client(address);
  const events = client.tail({ query: { to_neuron: "ts-bulk", since: new Date().toISOString() } });
  const heard = events.next();
  const bad = { content: "x", layer_to: "L9" };
  const result = await client.load([...Array(10).keys()].map((i) => ({ content: `${i}`, layer_to: "L2", to_neuron: "ts-bulk" })).concat({ ...bad, to_neuron: "ts-bulk" }));
  assert.equal(result.inserted, 10);
  assert.deepEqual([result.failed, result.errors[0]?.line, result.complete], [1, 11, true]);
  assert.equal((await heard).value?.signal?.content, "0");
  await events.return(undefined);
});

test("the routes that take a key are those of the document", () => {
  const document = JSON.parse(readFileSync(new URL("../../../openapi.json", import.meta.url), "utf8")) as {
    paths: Record<string, { post?: { parameters?: { name: string }[] } }>;
  };
  const want = Object.entries(document.paths)
    .filter(([, methods]) => methods.post?.parameters?.some((p) => p.name === "Idempotency-Key"))
    .map(([path]) => path);
  assert.deepEqual([...keyed].sort(), want.sort());
});
