// Signals: the stream as it comes, what is stored, and one with its trace.
import { h, replace, heading, loading, empty, failure, field, time, json, announce, number } from './dom.js';
import * as api from './api.js';

const SHOWN = 300; // rows of the tail

export const LAYERS = ['', 'L4', 'L3', 'L2', 'L1', 'API'];

export function select(name, values, value) {
  return h('select', { name }, values.map((v) => h('option', { value: v, selected: v === value }, v || 'all')));
}

export default function view(context) {
  return context.id ? one(context) : tail(context);
}

const ends = (s) => [h('span', { class: 'layer' }, s.layer_from), neuron(s.from_neuron), h('span', { class: 'arrow', 'aria-label': 'to' }, '→'), h('span', { class: 'layer' }, s.layer_to), neuron(s.to_neuron)];

export const neuron = (id) => h('a', { href: `#/neurons/${encodeURIComponent(id)}` }, id);

/** One line of a list of signals. */
export function line(s) {
  return h('li', { class: 'signal' },
    h('a', { class: 'when', href: `#/signals/${s.id}`, 'aria-label': `Signal of ${s.timestamp}` }, time(s.timestamp, { ms: true })),
    h('span', { class: 'ends' }, ends(s)),
    h('span', { class: 'content', title: s.content.slice(0, 1000) }, s.content.slice(0, 400)));
}

async function tail({ main, params, setParams, signal }) {
  const neuronInput = h('input', { name: 'neuron', value: params.neuron ?? '', spellcheck: 'false', autocapitalize: 'none' });
  const layerInput = select('layer', LAYERS, params.layer ?? '');
  const state = h('span', { class: 'state', role: 'status' }, 'connecting');
  const pause = h('button', { type: 'button', 'aria-pressed': 'false', onclick: toggle }, 'Pause');
  const list = h('ol', { class: 'signals', 'aria-label': 'Signals, the newest first', tabindex: '0' });
  const note = h('div', {});
  const more = h('button', { type: 'button', onclick: older, hidden: true }, 'Older');
  main.append(heading('Signals', state),
    h('form', { class: 'filters', 'aria-label': 'Filters', onsubmit: apply, onchange: apply },
      field('Neuron', neuronInput), field('Layer', layerInput), pause,
      h('button', { type: 'button', class: 'quiet', onclick: () => { replace(list); known.clear(); announce('The list is cleared'); } }, 'Clear')),
    note, list, more);

  let paused = false;
  let held = [];
  let cursor = null;
  let listening = null;
  const known = new Set();
  let frame = 0;
  let incoming = [];

  function filters() {
    return { neuron: neuronInput.value.trim(), layer: layerInput.value };
  }
  function apply(e) {
    e?.preventDefault();
    setParams(filters());
    start();
  }
  function toggle() {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Go on' : 'Pause';
    if (!paused) { incoming.push(...held); held = []; draw(); }
    state.textContent = paused ? 'paused' : 'live';
    announce(paused ? 'Paused' : 'Live');
  }
  // Once for each frame, however many come.
  function draw() {
    frame = 0;
    const rows = incoming.slice(-SHOWN).reverse().map((s) => { const l = line(s); l.classList.add('new'); return l; });
    incoming = [];
    list.prepend(...rows);
    while (list.children.length > SHOWN) { list.lastElementChild.remove(); more.hidden = true; }
    if (list.children.length) replace(note);
    if (known.size > 20_000) known.clear();
  }
  function came(s) {
    if (known.has(s.id)) return; // comes again after a change of servers
    known.add(s.id);
    if (paused) {
      held.push(s);
      if (held.length > SHOWN) held.shift();
      state.textContent = `paused, ${number(held.length)}${held.length === SHOWN ? ' or more' : ''} new`;
      return;
    }
    incoming.push(s);
    frame ||= requestAnimationFrame(draw);
  }
  async function start() {
    listening?.abort();
    listening = new AbortController();
    const mine = listening.signal;
    replace(list);
    known.clear();
    held = [];
    more.hidden = true;
    replace(note, loading('the last signals'));
    api.listen(filters(), {
      signal: came,
      gap: (g) => { replace(note, empty(`Signals from ${g.since} to ${g.until} are left out.`)); },
      state: (s, message) => {
        if (mine.aborted) return;
        state.textContent = paused ? 'paused' : { live: 'live', waiting: 'connecting again', ended: 'ended' }[s];
        state.dataset.state = s;
        if (s === 'ended') replace(note, failure(new Error(message)));
      },
    }, mine);
    await older(mine);
  }
  async function older(from) {
    const mine = listening.signal;
    try {
      const page = await api.get('/api/v1/signals', { ...filters(), limit: 50, cursor: from === mine ? null : cursor }, mine);
      cursor = page.next_cursor;
      more.hidden = !cursor;
      replace(note);
      const rows = page.data.filter((s) => !known.has(s.id));
      rows.forEach((s) => known.add(s.id));
      list.append(...rows.map(line));
      if (!list.children.length) replace(note, empty('No signal yet. What is sent shows up here at once.'));
    } catch (e) {
      if (!mine.aborted && e.status !== 401) replace(note, failure(e, () => older(from)));
    }
  }
  signal.addEventListener('abort', () => { listening?.abort(); cancelAnimationFrame(frame); });
  start();
}

const ACTIONS = { received: 'received it', sent: 'sent a signal because of it', remembered: 'remembered something because of it' };

async function one({ main, id, signal }) {
  replace(main, loading('the signal'));
  const { data: s } = await api.get(`/api/v1/signals/${encodeURIComponent(id)}`, {}, signal);
  replace(main, heading('Signal', h('code', { class: 'dim' }, s.id)),
    h('div', { class: 'card' }, h('p', { class: 'ends' }, ends(s), h('span', { class: 'dim' }, time(s.timestamp, { ms: true }), ` · ${s.propagation_type}`)),
      h('p', { class: 'text' }, s.content), Object.keys(s.metadata).length > 0 && [h('h2', {}, 'Metadata'), json(s.metadata)]),
    h('h2', {}, 'Trace'),
    h('ol', { class: 'trace' }, s.trace.map((t) => h('li', {},
      time(t.timestamp, { ms: true }), ' ', t.layer && h('span', { class: 'layer' }, t.layer), ' ', neuron(t.neuron_id), ' ',
      t.action === 'sent' ? h('a', { href: `#/signals/${t.id}` }, ACTIONS.sent) : t.action === 'remembered' ? h('a', { href: `#/memories/${t.id}` }, ACTIONS.remembered) : ACTIONS[t.action],
      t.response && h('p', { class: 'text dim' }, t.response)))),
    s.truncated && h('p', { class: 'note' }, 'The trace goes on; these are its first 200 entries.'));
}
