// Prints signals as they are committed, until it is interrupted: node dist/tail-signals.js
import { Client } from "@hal9-ai/client";

const client = new Client(process.env.HAL9 ?? "http://localhost:8080");
for await (const event of client.tail({ query: { layer: "L4" } })) {
  if (event.signal) console.log(event.signal.timestamp, event.signal.to_neuron, event.signal.content);
}
