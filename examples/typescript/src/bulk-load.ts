// Loads a file of signals, one JSON object a line: node dist/bulk-load.js FILE
import { createReadStream } from "node:fs";
import { Client } from "@hal9-ai/client";

const file = process.argv[2];
if (file === undefined) {
  console.error("usage: node dist/bulk-load.js FILE");
  process.exit(2);
}

const client = new Client(process.env.HAL9 ?? "http://localhost:8080");
// Opened again from where the service stopped, if it did.
const result = await client.load((offset) => createReadStream(file, { start: offset }));
for (const e of result.errors) {
  console.log(`line ${e.line}: ${e.field}: ${e.message}`);
}
console.log("stored", result.inserted, "refused", result.failed);
