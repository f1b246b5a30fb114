// Who is signed in, in this tab alone: see docs/decisions/0022-stream-and-console.md.

const KEY = 'hal9.session';
let session = read();
const watchers = new Set();

function read() {
  try { return JSON.parse(sessionStorage.getItem(KEY)) ?? null; } catch { return null; }
}

function keep(next) {
  session = next;
  try {
    if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
    else sessionStorage.removeItem(KEY);
  } catch { /* then it lasts until the page is left */ }
  watchers.forEach((f) => f());
}

export const current = () => session;
export const onChange = (f) => watchers.add(f);
export const signOut = () => keep(null);
export const setKey = (key, user) => keep({ kind: 'key', credential: key, user });
export function setTokens(grant) {
  keep({
    kind: 'login', credential: grant.access_token, refresh: grant.refresh_token,
    expires: Date.now() + grant.expires_in * 1000, user: grant.user,
  });
}
export const isAdmin = () => session?.user?.role === 'admin';

// A refresh token can be used once: one use at a time in this tab, and for a session that
// another tab copied, one at a time in the browser.
let refreshing = null;

export function fresh(fetchGrant) {
  if (session?.kind !== 'login' || session.expires - Date.now() > 60_000) return Promise.resolve();
  return renew(fetchGrant);
}

export function renew(fetchGrant) {
  if (session?.kind !== 'login') return Promise.resolve(false);
  refreshing ??= lock(async () => {
    const used = session?.refresh;
    if (!used) return false;
    const grant = await fetchGrant(used);
    if (session?.refresh !== used) return Boolean(session);
    if (grant) setTokens(grant);
    return Boolean(grant);
  }).finally(() => { refreshing = null; });
  return refreshing;
}

const channel = 'BroadcastChannel' in window ? new BroadcastChannel('hal9.session') : null;
channel?.addEventListener('message', ({ data }) => {
  if (session?.kind === 'login' && data.used === session.refresh) keep(data.next);
});

async function lock(task) {
  const run = async () => {
    const used = session?.refresh;
    const done = await task();
    if (used && session && session.refresh !== used) channel?.postMessage({ used, next: session });
    return done;
  };
  return navigator.locks ? navigator.locks.request('hal9.refresh', run) : run();
}
