// Asking the service.
import * as session from './session.js';

export class Problem extends Error {
  constructor(status, body, requestId) {
    super(body?.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.title = body?.title;
    this.errors = body?.errors;
    this.requestId = requestId;
  }
}

function credentials() {
  const s = session.current();
  return s ? { Authorization: `Bearer ${s.credential}` } : {};
}

async function refreshGrant(token) {
  const r = await fetch('/api/v1/auth/refresh', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ refresh_token: token }),
  });
  if (r.ok) return (await r.json()).data;
  if (r.status === 401) return null;
  throw await problemOf(r);
}

async function problemOf(r) {
  let body = null;
  try { body = await r.json(); } catch { /* no problem document */ }
  return new Problem(r.status, body, r.headers.get('X-Request-Id'));
}

async function send(path, options) {
  try {
    await session.fresh(refreshGrant);
    const ask = () => fetch(path, { ...options, headers: { ...options.headers, ...credentials() }, cache: 'no-store' });
    let r = await ask();
    if (r.status === 401 && session.current()?.kind === 'login' && await session.renew(refreshGrant)) r = await ask();
    if (r.status === 401 && !path.startsWith('/api/v1/auth/login')) {
      const p = await problemOf(r);
      const ended = Boolean(session.current());
      if (ended) session.signOut();
      window.dispatchEvent(new CustomEvent('hal9:signin', { detail: { ended } }));
      throw p;
    }
    return r;
  } catch (e) {
    if (e instanceof Problem || e.name === 'AbortError') throw e;
    const p = new Problem(0, { title: 'No answer', detail: 'The server cannot be reached.' });
    throw p;
  }
}

/** query({a: 1, b: ''}) is '?a=1'. */
export function query(params) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== null && v !== '') q.set(k, v);
  const s = q.toString();
  return s && `?${s}`;
}

/** The answer's envelope: data, and next_cursor for lists. */
export async function get(path, params = {}, signal = undefined) {
  const r = await send(path + query(params), { signal });
  if (!r.ok) throw await problemOf(r);
  return r.json();
}

export async function text(path, signal) {
  const r = await send(path, { signal });
  if (!r.ok) throw await problemOf(r);
  return r.text();
}

export async function write(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const r = await send(path, options);
  if (!r.ok) throw await problemOf(r);
  return r.status === 204 ? null : r.json();
}

/**
 * Listens to signals until the signal aborts, coming back by itself. on.signal(data),
 * on.state('live' | 'waiting' | 'ended', message), on.gap(data). EventSource would do it,
 * but sends no credential.
 */
export async function listen(params, on, signal) {
  let last = null;
  let wait = 500;
  while (!signal.aborted) {
    try {
      const r = await send(`/api/v1/signals/stream${query(params)}`, { signal, headers: last ? { 'Last-Event-ID': last } : {} });
      if (!r.ok) {
        const p = await problemOf(r);
        if (r.status < 500 && r.status !== 429) { on.state('ended', p.message); return; }
        throw p;
      }
      on.state('live');
      wait = 500;
      for await (const e of events(r.body)) {
        if (e.id !== null) last = e.id;
        if (e.event === 'signal') on.signal(JSON.parse(e.data));
        if (e.event === 'gap') on.gap?.(JSON.parse(e.data));
      }
    } catch (e) {
      if (signal.aborted || e.status === 401) return;
      on.state('waiting', e.message);
    }
    if (signal.aborted) return;
    on.state('waiting');
    await new Promise((done) => { setTimeout(done, wait); });
    wait = Math.min(wait * 2, 10_000);
  }
}

/** The blocks of a body of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let e = { id: null, event: null, data: '' };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') { yield e; e = { id: null, event: null, data: '' }; }
      else if (line.startsWith('id: ')) e.id = line.slice(4);
      else if (line.startsWith('event: ')) e.event = line.slice(7);
      else if (line.startsWith('data: ')) e.data += line.slice(6);
    }
  }
}
