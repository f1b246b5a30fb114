// Keeps a memory and finds it again: node dist/search-memories.js
import { Client } from "@hal9-ai/client";

const client = new Client(process.env.HAL9 ?? "http://localhost:8080");

await client.post("/api/v1/memories", {
  body: { neuron_id: "strategic-planner", content: "The antenna fails within 72 hours.", importance: 0.9 },
});
const found = await client.get("/api/v1/memories/search", { query: { q: "failing antennas" } });
for (const hit of found.data) {
  console.log(`${hit.neuron_id}: ${hit.content}`);
}
