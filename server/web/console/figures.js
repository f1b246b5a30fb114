// Reads Prometheus' text and makes of two readings what happened between them.

/** Map of 'name{labels}' to value. */
export function parse(text) {
  const all = new Map();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    all.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return all;
}

export function sum(m, name, ...having) {
  let total = 0;
  for (const [k, v] of m) if ((k === name || k.startsWith(`${name}{`)) && having.every((x) => k.includes(x))) total += v;
  return total;
}

export const rate = (a, b, seconds, name, ...having) => Math.max(0, sum(b, name, ...having) - sum(a, name, ...having)) / seconds;

/** The q-quantile in milliseconds of what a histogram of seconds counted between two readings; null if nothing. */
export function quantile(a, b, name, q) {
  const counts = new Map();
  for (const [k, v] of b) {
    if (!k.startsWith(`${name}_bucket`)) continue;
    const le = /le="([^"]+)"/.exec(k)[1];
    counts.set(le, (counts.get(le) ?? 0) + v - (a.get(k) ?? 0));
  }
  const bounds = [...counts].map(([le, n]) => [le === '+Inf' ? Infinity : Number(le), n]).sort((x, y) => x[0] - y[0]);
  const total = bounds.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  let below = 0;
  let low = 0;
  for (const [bound, n] of bounds) {
    if (n >= q * total) {
      if (bound === Infinity) return low * 1000;
      return (low + (bound - low) * ((q * total - below) / Math.max(n - below, 1e-9))) * 1000;
    }
    below = n;
    low = bound;
  }
  return low * 1000;
}
