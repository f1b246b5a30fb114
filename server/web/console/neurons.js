// Neurons: all of them, and one with its signals.
import { h, replace, heading, loading, empty, failure, field, time, json, table, number } from './dom.js';
import * as api from './api.js';
import { line, select, LAYERS } from './signals.js';

export default function view(context) {
  return context.id ? one(context) : all(context);
}

const health = (n) => h('span', { class: n.is_healthy ? 'good' : 'bad' }, n.is_healthy ? 'healthy' : 'unhealthy');

async function all({ main, params, setParams, signal }) {
  const find = h('input', { type: 'search', name: 'find', value: params.find ?? '', spellcheck: 'false', autocapitalize: 'none' });
  const layer = select('layer', LAYERS.slice(0, 5), params.layer ?? '');
  const state = h('input', { name: 'state', value: params.state ?? '', spellcheck: 'false' });
  const box = h('div', {});
  let neurons = [];
  let next = null;
  const filters = () => ({ find: find.value.trim(), layer: layer.value, state: state.value.trim() });
  main.append(heading('Neurons'), h('form', { class: 'filters', 'aria-label': 'Filters', onsubmit: (e) => { e.preventDefault(); load(); }, onchange: (e) => { if (e.target !== find) load(); } },
    field('Find', find), field('Layer', layer), field('State', state)), box);
  find.addEventListener('input', () => { setParams(filters()); draw(); });

  function draw() {
    const text = find.value.trim().toLowerCase();
    const rows = neurons.filter((n) => !text || n.id.toLowerCase().includes(text) || n.system_prompt.toLowerCase().includes(text));
    replace(box, rows.length === 0 ? empty(neurons.length ? 'No neuron that is loaded matches.' : 'There is no such neuron.')
      : table(['Neuron', 'Layer', 'State', 'Health', 'Changed'], rows.map((n) => [
        h('a', { href: `#/neurons/${encodeURIComponent(n.id)}` }, n.id), h('span', { class: 'layer' }, n.layer), n.state, health(n), time(n.updated_at)]), { caption: 'Neurons' }),
    next && h('button', { type: 'button', onclick: () => load(next) }, 'More'));
  }
  async function load(cursor = null) {
    setParams(filters());
    if (!cursor) replace(box, loading('the neurons'));
    try {
      const page = await api.get('/api/v1/neurons', { layer: layer.value, state: state.value.trim(), limit: 200, cursor }, signal);
      neurons = cursor ? neurons.concat(page.data) : page.data;
      next = page.next_cursor;
      draw();
    } catch (e) {
      if (!signal.aborted && e.status !== 401) replace(box, failure(e, () => load(cursor)));
    }
  }
  await load();
}

async function one({ main, id, signal }) {
  replace(main, loading('the neuron'));
  const path = `/api/v1/neurons/${encodeURIComponent(id)}`;
  const [{ data: n }, { data: hl }] = await Promise.all([api.get(path, {}, signal), api.get(`${path}/health`, {}, signal)]);
  const signals = h('ol', { class: 'signals', 'aria-label': 'Signals, the newest first', tabindex: '0' });
  const memories = h('ul', { class: 'plain' });
  replace(main, heading(n.id, h('span', { class: 'layer' }, n.layer), health(n)),
    h('dl', { class: 'tiles' }, [
      ['State', hl.state], ['Received', number(hl.signals_processed)], ['Failures', number(hl.errors_count)],
      ['Last sent', time(hl.last_signal)], ['Made', time(n.created_at)], ['Version', n.version],
    ].map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v)))),
    n.system_prompt && [h('h2', {}, 'System prompt'), h('p', { class: 'card text' }, n.system_prompt)],
    Object.keys(n.settings).length > 0 && [h('h2', {}, 'Settings'), json(n.settings)],
    h('h2', {}, 'Signals'), signals,
    h('p', {}, h('a', { href: `#/signals?neuron=${encodeURIComponent(id)}` }, 'Live and older ones')),
    h('h2', {}, 'Memories'), memories);
  const part = async (box, url, params, draw, nothing) => {
    try {
      const { data } = await api.get(url, params, signal);
      replace(box, data.length ? data.map(draw) : h('li', {}, empty(nothing)));
    } catch (e) {
      if (!signal.aborted) replace(box, h('li', {}, failure(e)));
    }
  };
  await Promise.all([
    part(signals, '/api/v1/signals', { neuron: id, limit: 25 }, line, 'It sent and was sent no signal.'),
    part(memories, '/api/v1/memories', { neuron: id, limit: 10 }, (m) => h('li', {}, h('a', { href: `#/memories/${m.id}` }, time(m.created_at)), ' ', m.content.slice(0, 200)), 'It remembers nothing.'),
  ]);
}
