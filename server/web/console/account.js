// What belongs to who is signed in: keys and sessions.
import { h, replace, heading, loading, empty, failure, field, table, time, announce } from './dom.js';
import * as api from './api.js';
import * as session from './session.js';
import { keyTable, confirmed } from './keys.js';

export default async function view({ main, signal }) {
  if (!session.current()) { window.dispatchEvent(new CustomEvent('hal9:signin')); return; }
  const { data: user } = await api.get('/api/v1/auth/profile', {}, signal);
  const keys = h('div', {});
  const sessions = h('div', {});
  const made = h('div', { 'aria-live': 'polite' });
  const name = h('input', { name: 'name', required: true, maxlength: 255 });
  const scopes = h('input', { name: 'scopes', spellcheck: 'false', autocapitalize: 'none' });
  const days = h('input', { name: 'days', type: 'number', min: 1, max: 3650 });
  main.append(heading('Account', h('span', { class: 'dim' }, `${user.username}, ${user.role}`)),
    h('h2', {}, 'API keys'), keys,
    h('form', { class: 'filters card', 'aria-label': 'New API key', onsubmit: create },
      field('Name of a new key', name), field('Scopes', scopes, 'With commas; empty for all that you have.'), field('Days', days, 'Empty: it does not expire.'), h('button', { class: 'main' }, 'Make a key')),
    made, h('h2', {}, 'Sessions'), sessions);

  async function part(box, what, path, draw) {
    replace(box, loading(what));
    try {
      const { data } = await api.get(path, {}, signal);
      replace(box, data.length ? draw(data) : empty(`There are no ${what}.`));
    } catch (e) {
      if (!signal.aborted && e.status !== 401) replace(box, e.status === 403 ? empty(e.message) : failure(e, () => part(box, what, path, draw)));
    }
  }
  const act = (task, reload) => async () => {
    try { await task(); announce('Done'); await reload(); } catch (e) { replace(made, failure(e)); }
  };
  const loadKeys = () => part(keys, 'keys', '/api/v1/auth/api-keys', (data) => keyTable(data, (k) => act(() => api.write('PUT', `/api/v1/auth/api-keys/${k.id}`), loadKeys)()));
  const loadSessions = () => part(sessions, 'sessions', '/api/v1/auth/sessions', (data) => table(['Since', 'Token until', 'Address', 'Program', ''], data.map((s) => [
    time(s.created_at), time(s.expires_at), s.ip_address ?? '–', h('span', { class: 'scopes' }, s.user_agent ?? '–'),
    s.current ? h('span', { class: 'good whole' }, 'this one') : h('button', { type: 'button', class: 'quiet', 'aria-label': `End the session of ${s.created_at}`, onclick: (e) => confirmed(e.target, act(() => api.write('DELETE', `/api/v1/auth/sessions/${s.id}`), loadSessions)) }, 'End')]), { caption: 'Sessions' }));
  async function create(e) {
    e.preventDefault();
    try {
      const list = scopes.value.split(',').map((s) => s.trim()).filter(Boolean);
      const { data } = await api.write('POST', '/api/v1/auth/api-keys', {
        name: name.value, ...(list.length && { permissions: list }),
        ...(days.value && { expires_at: new Date(Date.now() + days.value * 86_400_000).toISOString() }),
      });
      e.target.reset();
      replace(made, h('div', { class: 'note' }, h('strong', {}, 'This is shown once: '), h('code', { tabindex: '0', class: 'secret' }, data.key)));
      await loadKeys();
    } catch (error) {
      replace(made, failure(error));
    }
  }
  await Promise.all([loadKeys(), loadSessions()]);
}
