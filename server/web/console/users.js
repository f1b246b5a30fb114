// Users, for who may manage them: all, and one with keys and sessions.
import { h, replace, heading, loading, empty, failure, field, table, time, announce } from './dom.js';
import * as api from './api.js';
import { keyTable, confirmed } from './keys.js';

const ROLES = ['user', 'guest', 'admin'];

export default function view(context) {
  return context.id ? one(context) : all(context);
}

async function all({ main, signal }) {
  const box = h('div', {});
  const note = h('div', { 'aria-live': 'polite' });
  const name = h('input', { name: 'username', required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none' });
  const password = h('input', { name: 'password', type: 'password', minlength: 8, required: true, autocomplete: 'new-password' });
  const role = h('select', { name: 'role' }, ROLES.map((r) => h('option', { value: r }, r)));
  let users = [];
  const form = h('form', { class: 'filters card', 'aria-label': 'New user', onsubmit: create },
    field('Name of a new user', name), field('Password', password), field('Role', role), h('button', { class: 'main' }, 'Make the user'));
  main.append(heading('Users'), box, note, form);
  async function load(cursor = null) {
    if (!cursor) replace(box, loading('the users'));
    try {
      const page = await api.get('/api/v1/users', { limit: 100, cursor }, signal);
      users = cursor ? users.concat(page.data) : page.data;
      replace(box, table(['Name', 'Role', 'Email', 'State', 'Made'], users.map((u) => [
        h('a', { href: `#/users/${u.id}` }, u.username), u.role, u.email ?? '–',
        h('span', { class: u.is_active ? 'good' : 'dim' }, u.is_active ? 'active' : 'not active'), time(u.created_at)]), { caption: 'Users' }),
      page.next_cursor && h('button', { type: 'button', onclick: () => load(page.next_cursor) }, 'More'));
    } catch (e) {
      if (e.status === 403) form.remove();
      if (!signal.aborted && e.status !== 401) replace(box, failure(e, () => load(cursor)));
    }
  }
  async function create(e) {
    e.preventDefault();
    try {
      await api.write('POST', '/api/v1/users', { username: name.value, password: password.value, role: role.value });
      e.target.reset();
      replace(note);
      announce('The user is made');
      await load();
    } catch (error) {
      replace(note, failure(error));
    }
  }
  await load();
}

async function one({ main, id, signal }) {
  replace(main, loading('the user'));
  const path = `/api/v1/users/${encodeURIComponent(id)}`;
  const { data: u } = await api.get(path, {}, signal);
  const note = h('div', { 'aria-live': 'polite' });
  const keys = h('div', {});
  const again = () => { replace(main); return one({ main, id, signal }); };
  const act = (task, reload = again) => async () => { try { await task(); announce('Done'); await reload(); } catch (e) { replace(note, failure(e)); } };
  const role = h('select', { name: 'role', onchange: (e) => act(() => api.write('PATCH', path, { role: e.target.value }))() }, ROLES.map((r) => h('option', { value: r, selected: r === u.role }, r)));
  replace(main, heading(u.username, h('span', { class: u.is_active ? 'good' : 'dim' }, u.is_active ? 'active' : 'not active')), note,
    h('div', { class: 'filters' }, field('Role', role),
      h('button', { type: 'button', onclick: (e) => confirmed(e.target, act(() => api.write('PATCH', path, { is_active: !u.is_active }))) }, u.is_active ? 'Shut out' : 'Let in again'),
      h('a', { href: `#/audit?user_id=${u.id}` }, 'What was done')),
    h('h2', {}, 'API keys'), keys);
  async function loadKeys() {
    try {
      const { data } = await api.get(`${path}/api-keys`, {}, signal);
      replace(keys, data.length ? keyTable(data, (k) => act(() => api.write('PUT', `${path}/api-keys/${k.id}`), loadKeys)()) : empty('There are no keys.'));
    } catch (e) {
      if (!signal.aborted) replace(keys, failure(e, loadKeys));
    }
  }
  await loadKeys();
}
