// Sends one signal and then several: node dist/send-signals.js
import { Client } from "@hal9-ai/client";

const client = new Client(process.env.HAL9 ?? "http://localhost:8080");

const sent = await client.post("/api/v1/signal", { body: { content: "plan the day", layer: "strategic" } });
console.log("sent", sent.data.signal_id);

const result = await client.load([
  { content: "split it into tasks", layer_to: "L3" },
  { content: "write the report", layer_to: "L2" },
]);
console.log("stored", result.inserted, "refused", result.failed);
