// The log of privileged acts.
import { h, replace, heading, loading, empty, failure, field, time } from './dom.js';
import * as api from './api.js';

export default async function view({ main, params, setParams, signal }) {
  const action = h('input', { name: 'action', value: params.action ?? '', spellcheck: 'false', autocapitalize: 'none' });
  const user = h('input', { name: 'user_id', value: params.user_id ?? '', spellcheck: 'false' });
  const box = h('div', {});
  main.append(heading('Audit'), h('form', { class: 'filters', 'aria-label': 'Filters', onsubmit: (e) => { e.preventDefault(); load(); }, onchange: () => load() },
    field('Action', action), field('User, by id', user)), box);
  let list = null;
  async function load(cursor = null) {
    const filters = { action: action.value.trim(), user_id: user.value.trim() };
    setParams(filters);
    if (!cursor) replace(box, loading('the log'));
    try {
      const page = await api.get('/api/v1/audit', { ...filters, limit: 100, cursor }, signal);
      const rows = page.data.map((a) => h('li', {}, h('details', {},
        h('summary', {}, time(a.created_at), ' ', h('strong', {}, a.action), ' ', h('span', { class: 'dim' }, `${a.resource_type} ${a.resource_id ?? ''}`)),
        h('pre', { class: 'json', tabindex: '0', 'aria-label': 'Details' }, JSON.stringify({ user_id: a.user_id, ip_address: a.ip_address, user_agent: a.user_agent, ...a.details }, null, 2)))));
      if (cursor) list.append(...rows);
      else {
        list = h('ul', { class: 'plain audit', 'aria-label': 'The newest first' }, rows);
        replace(box, rows.length ? list : empty('Nothing of the kind was done.'));
      }
      box.querySelector('button.more')?.remove();
      if (page.next_cursor) box.append(h('button', { type: 'button', class: 'more', onclick: () => load(page.next_cursor) }, 'Older'));
    } catch (e) {
      if (!signal.aborted && e.status !== 401) replace(box, failure(e, () => load(cursor)));
    }
  }
  await load();
}
