"use strict";

const points = JSON.parse(document.getElementById("points").textContent);
const host = document.getElementById("plots");

const column = (name, scale = 1) => points.map((p) => (p[name] === null ? null : p[name] * scale));
const number = (digits, unit) => (_, v) => (v === null || v === undefined ? "–" : v.toLocaleString("en", { maximumFractionDigits: digits }) + unit);

// What is plotted: each line has a name, a column, a colour and perhaps an axis of its own.
const plots = [
  { title: "Requests per second, and users", unit: "/s", lines: [
    { label: "answered", data: column("requests_per_second"), color: "a", digits: 0 },
    { label: "failed", data: column("failed_per_second"), color: "b", digits: 1 },
    { label: "users", data: column("users"), color: "c", digits: 0, right: true },
  ] },
  { title: "Latency", unit: " ms", log: true, lines: [
    { label: "p50", data: column("p50_seconds", 1000), color: "a", digits: 2 },
    { label: "p95", data: column("p95_seconds", 1000), color: "c", digits: 2 },
    { label: "p99", data: column("p99_seconds", 1000), color: "b", digits: 2 },
  ] },
  { title: "Cache hit rate, as the server tells", unit: " %", range: [0, 100], lines: [
    { label: "hits", data: column("server_hit_rate", 100), color: "d", digits: 1 },
  ] },
  { title: "Database connections in use, as the server tells", unit: "", lines: [
    { label: "in use", data: column("server_db_pool_used"), color: "a", digits: 0 },
    { label: "calls waiting", data: column("server_db_pool_waiting"), color: "b", digits: 0 },
  ] },
  { title: "Signals a commit, as the server tells", unit: "", lines: [
    { label: "signals a commit", data: column("server_ingest_batch_size"), color: "a", digits: 1 },
    { label: "waiting", data: column("server_ingest_queue"), color: "b", digits: 0 },
  ] },
  { title: "Processor cores in use", unit: " cores", lines: [
    { label: "server", data: column("server_cores"), color: "a", digits: 2 },
    { label: "load generator", data: column("generator_cores"), color: "c", digits: 2 },
  ] },
];

function shadeWarmUp(u, style) {
  if (warmUp <= 0) return;
  const x = u.valToPos(Math.min(warmUp, u.scales.x.max), "x", true);
  u.ctx.save();
  u.ctx.fillStyle = style.getPropertyValue("--shade");
  u.ctx.fillRect(u.bbox.left, u.bbox.top, Math.max(0, x - u.bbox.left), u.bbox.height);
  u.ctx.restore();
}

let drawn = [];

function draw() {
  drawn.forEach((u) => u.destroy());
  drawn = [];
  host.replaceChildren();
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--soft");
  const grid = { stroke: style.getPropertyValue("--line"), width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  // All boxes first: the width of one depends on how many there are.
  const boxes = plots.map((plot) => {
    const box = document.createElement("div");
    box.className = "plot";
    const head = document.createElement("h3");
    head.textContent = plot.title;
    box.append(head);
    host.append(box);
    return box;
  });
  for (const [i, plot] of plots.entries()) {
    const box = boxes[i];
    const lines = plot.lines.filter((l) => l.data.some((v) => v !== null));
    if (lines.length === 0) {
      const none = document.createElement("p");
      none.textContent = "The server told no such figures.";
      box.append(none);
      continue;
    }
    const right = lines.some((l) => l.right);
    const u = new uPlot({
      width: box.clientWidth - 20, height: 230, cursor: { sync: { key: "run" } },
      hooks: { drawClear: [(u) => shadeWarmUp(u, style)] },
      scales: {
        x: { time: false },
        y: plot.log
          ? { distr: 3 }
          : { range: plot.range ? () => plot.range : (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
        right: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
      },
      axes: [
        { ...axis, values: (_, vs) => vs.map((v) => v + " s") },
        { ...axis, size: 74, values: (_, vs) => vs.map((v) => (v === null ? "" : v.toLocaleString("en") + (plot.unit === " ms" || plot.unit === " %" ? plot.unit : ""))) },
        ...(right ? [{ ...axis, scale: "right", side: 1, grid: { show: false } }] : []),
      ],
      series: [
        { label: "time", value: number(1, " s") },
        ...lines.map((l) => ({
          label: l.label, spanGaps: true, stroke: style.getPropertyValue("--" + l.color), width: 2, scale: l.right ? "right" : "y",
          dash: l.right ? [6, 4] : undefined, points: { show: points.length < 60, size: 5, fill: style.getPropertyValue("--card") }, value: number(l.digits, l.right ? "" : plot.unit),
        })),
      ],
    }, [column("seconds"), ...lines.map((l) => l.data)], box);
    drawn.push(u);
  }
}

if (host) {
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let waiting;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
}
