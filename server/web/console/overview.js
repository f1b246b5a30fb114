// What this server does at the moment.
import { h, replace, heading, loading, failure, number, bytes, table, empty } from './dom.js';
import * as api from './api.js';
import { plot } from './plot.js';
import { parse, sum, rate, quantile } from './figures.js';

const EVERY = 2000; // ms between two readings
const KEPT = 150; // readings: five minutes

const short = (v) => (v >= 1e6 ? `${number(v / 1e6, 1)}M` : v >= 1e4 ? `${number(v / 1e3, 0)}k` : number(v, v < 10 && v % 1 ? 1 : 0));
const ms = (v) => `${number(v, v < 10 ? 1 : 0)} ms`;
const percent = (v) => `${number(v * 100, 0)} %`;

const PLOTS = [
  { title: 'Signals', format: (v) => `${short(v)}/s`, series: [
    { label: 'committed', color: '--c1', fill: true, of: (a, b, s) => rate(a, b, s, 'hal9_signals_processed_total', 'status="success"') },
    { label: 'failed', color: '--c4', of: (a, b, s) => rate(a, b, s, 'hal9_signals_processed_total', 'status="failed"') }] },
  { title: 'Time to commit', format: ms, series: [
    { label: 'median', color: '--c1', of: (a, b) => quantile(a, b, 'hal9_signal_processing_duration_seconds', 0.5) },
    { label: '99 %', color: '--c3', of: (a, b) => quantile(a, b, 'hal9_signal_processing_duration_seconds', 0.99) }] },
  { title: 'Requests', format: (v) => `${short(v)}/s`, series: [
    { label: 'answered', color: '--c1', fill: true, of: (a, b, s) => rate(a, b, s, 'hal9_http_requests_total') },
    { label: '5xx', color: '--c4', of: (a, b, s) => rate(a, b, s, 'hal9_http_requests_total', 'status="5') }] },
  { title: 'Cache', format: percent, max: 1, series: [
    { label: 'hit rate', color: '--c2', fill: true, of: (a, b) => {
      const asked = rate(a, b, 1, 'hal9_cache_requests_total');
      return asked ? Math.min(1, rate(a, b, 1, 'hal9_cache_hits_total') / asked) : null;
    } }] },
  { title: 'Database pool', format: short, series: [
    { label: 'in use', color: '--c1', fill: true, of: (_, b) => sum(b, 'hal9_db_pool_active_connections') },
    { label: 'idle', color: '--c2', of: (_, b) => sum(b, 'hal9_db_pool_idle_connections') },
    { label: 'waiting', color: '--c4', of: (_, b) => sum(b, 'hal9_db_pool_waiting_calls') }] },
  { title: 'Signals in a commit', format: (v) => number(v, v < 10 ? 1 : 0), series: [
    { label: 'mean', color: '--c1', fill: true, of: (a, b) => {
      const n = rate(a, b, 1, 'hal9_ingest_batch_size_count');
      return n ? rate(a, b, 1, 'hal9_ingest_batch_size_sum') / n : null;
    } },
    { label: 'waiting', color: '--c3', of: (_, b) => sum(b, 'hal9_ingest_queue_length') }] },
];

export default async function view({ main, signal }) {
  const tiles = h('dl', { class: 'tiles' });
  const trouble = h('div', {});
  const parts = h('section', { 'aria-labelledby': 'parts' });
  const plots = PLOTS.map((p) => ({ ...p, drawn: plot(p), data: [[], ...p.series.map(() => [])] }));
  main.append(heading('Overview', h('span', { class: 'dim' }, 'this server, the last five minutes')), trouble, tiles,
    h('div', { class: 'plots' }, plots.map((p) => p.drawn.element)), parts);
  signal.addEventListener('abort', () => plots.forEach((p) => p.drawn.destroy()));
  replace(parts, loading('the months'));
  drawPartitions(parts, signal);
  const months = setInterval(() => document.hidden || drawPartitions(parts, signal), 60_000);
  signal.addEventListener('abort', () => clearInterval(months));

  let before = null;
  let at = 0;
  async function tick() {
    const [{ data }, text] = await Promise.all([api.get('/api/v1/metrics', {}, signal), api.text('/metrics', signal)]);
    const now = parse(text);
    const t = Date.now() / 1000;
    drawTiles(tiles, data, now);
    for (const p of plots) {
      p.data[0].push(t);
      p.series.forEach((s, i) => p.data[i + 1].push(before ? s.of(before, now, t - at) : null));
      if (p.data[0].length > KEPT) p.data.forEach((d) => d.shift());
      p.drawn.set(p.data);
    }
    before = now;
    at = t;
  }
  await tick();
  (async () => {
    for (;;) {
      await new Promise((done) => { setTimeout(done, EVERY); });
      if (signal.aborted) return;
      try {
        if (!document.hidden) await tick();
        replace(trouble);
      } catch (e) {
        if (signal.aborted) return;
        replace(trouble, failure(e));
      }
    }
  })();
}

function drawTiles(tiles, d, m) {
  const up = d.uptime_seconds;
  const since = up > 86400 ? `${number(up / 86400, 1)} d` : up > 3600 ? `${number(up / 3600, 1)} h` : up > 60 ? `${number(up / 60, 0)} min` : `${number(up, 0)} s`;
  replace(tiles, [
    ['Signals/s', number(d.signals_per_second, 1)], ['Committed', number(d.signals_processed)], ['Failed', number(d.signals_failed)],
    ['Latency', ms(d.average_latency_ms)], ['Cache hits', percent(d.cache_hit_rate)], ['Neurons', `${number(d.neurons_active)} of ${number(d.neurons_total)}`],
    ['Listeners', number(sum(m, 'hal9_signal_stream_listeners'))], ['Memory', bytes(d.memory_usage_mb * 1048576)], ['Up', since],
  ].map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v))));
}

async function drawPartitions(section, signal) {
  const title = h('h2', { id: 'parts' }, 'Signals by month');
  try {
    const { data } = await api.get('/api/v1/partitions', {}, signal);
    const most = Math.max(1, ...data.map((p) => p.rows ?? 0));
    replace(section, title, data.length === 0 ? empty('No signal is stored yet.') : table(['Month', 'Rows', 'Size', 'Share'], data.map((p) => [
      p.is_default ? 'outside all months' : p.since.slice(0, 7), p.rows === null ? '–' : number(p.rows), p.bytes ? bytes(p.bytes) : '–',
      h('meter', { min: 0, max: most, value: p.rows ?? 0, 'aria-label': `${number(p.rows ?? 0)} rows` })]), { caption: 'Months of signals', numeric: [1, 2] }));
  } catch (e) {
    if (!signal.aborted) replace(section, title, failure(e, () => drawPartitions(section, signal)));
  }
}
