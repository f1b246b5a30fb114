// Memories: the newest, and those that a search finds.
import { h, replace, heading, loading, empty, failure, field, time, json, highlighted, number } from './dom.js';
import * as api from './api.js';
import { neuron } from './signals.js';

export default function view(context) {
  return context.id ? one(context) : all(context);
}

async function all({ main, params, setParams, signal }) {
  const q = h('input', { type: 'search', name: 'q', value: params.q ?? '', maxlength: 2048 });
  const who = h('input', { name: 'neuron', value: params.neuron ?? '', spellcheck: 'false', autocapitalize: 'none' });
  const box = h('div', { 'aria-live': 'off' });
  const count = h('span', { class: 'dim', role: 'status' });
  main.append(heading('Memories', count),
    h('form', { class: 'filters', role: 'search', 'aria-label': 'Memories', onsubmit: (e) => { e.preventDefault(); load(); } },
      field('Words', q, 'All of them, in any form. In double quotes: next to each other.'), field('Neuron', who), h('button', { class: 'main' }, 'Search')), box);
  const item = (m, text) => h('li', { class: 'memory' },
    h('p', { class: 'text' }, text),
    h('p', { class: 'dim' }, h('a', { href: `#/memories/${m.id}`, 'aria-label': `Memory of ${m.created_at}` }, time(m.created_at)), ' · ', neuron(m.neuron_id),
      m.layer && [' · ', h('span', { class: 'layer' }, m.layer)], m.entry_type && ` · ${m.entry_type}`, ` · importance ${number(m.importance, 2)}`));
  let shown = null;
  async function load(cursor = null) {
    const words = q.value.trim();
    setParams({ q: words, neuron: who.value.trim() });
    if (!cursor) replace(box, loading('memories'));
    try {
      const page = words
        ? await api.get('/api/v1/memories/search', { q: words, neuron: who.value.trim(), limit: 100 }, signal)
        : await api.get('/api/v1/memories', { neuron: who.value.trim(), limit: 50, cursor }, signal);
      const items = page.data.map((m) => item(m, words ? highlighted(m.snippet) : m.content.slice(0, 500)));
      if (cursor) shown.append(...items);
      else {
        shown = h('ul', { class: 'plain', 'aria-label': words ? 'Found, the best first' : 'The newest first' }, items);
        replace(box, items.length ? shown : empty(words ? 'Nothing is remembered with all of these words.' : 'Nothing is remembered yet.'));
      }
      count.textContent = words ? `${page.data.length} found` : 'the newest first';
      box.querySelector('button.more')?.remove();
      if (page.next_cursor) box.append(h('button', { type: 'button', class: 'more', onclick: () => load(page.next_cursor) }, 'Older'));
    } catch (e) {
      if (!signal.aborted && e.status !== 401) replace(box, failure(e, () => load(cursor)));
    }
  }
  await load();
}

async function one({ main, id, signal }) {
  replace(main, loading('the memory'));
  const { data: m } = await api.get(`/api/v1/memories/${encodeURIComponent(id)}`, {}, signal);
  replace(main, heading('Memory', h('code', { class: 'dim' }, m.id)),
    h('p', {}, 'Of ', neuron(m.neuron_id), m.layer && [' ', h('span', { class: 'layer' }, m.layer)], h('span', { class: 'dim' }, ` · ${m.entry_type ?? 'of no kind'} · importance ${number(m.importance, 2)} · read ${number(m.access_count)} times · `, time(m.created_at))),
    h('p', { class: 'card text' }, m.content),
    ['context', 'metadata'].map((k) => Object.keys(m[k]).length > 0 && [h('h2', {}, k === 'context' ? 'Context' : 'Metadata'), json(m[k])]));
}
