import type { components } from "./schema.js";

type BulkResult = components["schemas"]["BulkResult"];

/** What a listener hears: a signal, or that some were left out. */
export interface Event {
  /** The place in the stream: as Last-Event-ID it goes on behind it. */
  id: string;
  signal?: components["schemas"]["Signal"];
  /** There were too many to catch up with: read them from /api/v1/signals. */
  gap?: { since: string; until: string };
}

/** Reads server-sent events; yields the place alone at a heartbeat. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let id = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        let name = "";
        let data = "";
        for (const line of block.split("\n")) {
          const colon = line.indexOf(":");
          const field = line.slice(0, colon);
          const text = line.slice(colon + 1).replace(/^ /, "");
          if (field === "id") id = text;
          else if (field === "event") name = text;
          else if (field === "data") data = text;
        }
        if (name === "signal") yield { id, signal: JSON.parse(data) };
        else if (name === "gap") yield { id, gap: JSON.parse(data) };
        else if (name === "end") {
          const end = JSON.parse(data) as { reason: string; message: string };
          throw new StreamEnd(end.reason, end.message);
        } else yield { id };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The service ended a stream. */
export class StreamEnd extends Error {
  override readonly name = "StreamEnd";
  constructor(
    /** slow, revoked, shutdown or failed. */
    readonly reason: string,
    message: string,
  ) {
    super(`${reason}: ${message}`);
  }
}

/** Makes a stream of what is iterated over, as fetch wants it. */
export function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

export function emptyResult(): BulkResult {
  return { received: 0, inserted: 0, duplicates: 0, failed: 0, errors: [], complete: false, resume: { offset: 0, line: 1 } };
}

/** Adds the result of what was sent from total.resume on. */
export function addResult(total: BulkResult, part: BulkResult): void {
  total.received += part.received;
  total.inserted += part.inserted;
  total.duplicates += part.duplicates;
  total.failed += part.failed;
  total.complete = part.complete;
  for (const e of part.errors.slice(0, 100 - total.errors.length)) {
    total.errors.push({ ...e, line: e.line + total.resume.line - 1 });
  }
  total.resume = { offset: total.resume.offset + part.resume.offset, line: total.resume.line + part.resume.line - 1 };
}
