// Making elements. Text goes into text nodes alone: nothing here reads markup.

/** h('a', {href: '#/x', class: 'y', onclick: f}, child, …): false, null and undefined children are left out. */
export function h(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'disabled') e[name] = value;
    else e.setAttribute(name, value === true ? '' : String(value));
  }
  append(e, children);
  return e;
}

function append(e, children) {
  for (const c of children.flat()) {
    if (c === null || c === undefined || c === false) continue;
    e.append(c instanceof Node ? c : String(c));
  }
}

export function replace(e, ...children) {
  e.replaceChildren();
  append(e, children);
}

/** Tells those who do not see the page what changed on it. */
export function announce(text) {
  document.getElementById('announce').textContent = text;
}

export const loading = (what) => h('p', { class: 'note', role: 'status' }, h('span', { class: 'spin', 'aria-hidden': 'true' }), `Loading ${what} …`);

export const empty = (text, ...more) => h('p', { class: 'note empty' }, text, ' ', more);

export function failure(error, retry) {
  return h('div', { class: 'note bad', role: 'alert' },
    h('strong', {}, error.title ?? 'That did not work'), ' ', error.message,
    error.requestId && h('span', { class: 'dim' }, ` (request ${error.requestId})`),
    retry && ![403, 404].includes(error.status) && h('button', { type: 'button', onclick: retry }, 'Try again'));
}

export function heading(title, ...beside) {
  return h('div', { class: 'head' }, h('h1', { tabindex: '-1' }, title), beside);
}

/** table(['Name', …], rows of cells, {caption, numeric: [columns]}). On a phone each row becomes a card. */
export function table(columns, rows, { caption, numeric = [] } = {}) {
  const cell = (c, i) => h('td', { 'data-label': columns[i], class: numeric.includes(i) ? 'num' : null }, c);
  return h('div', { class: 'tablewrap' }, h('table', {},
    caption && h('caption', { class: 'unseen' }, caption),
    h('thead', {}, h('tr', {}, columns.map((c, i) => h('th', { scope: 'col', class: numeric.includes(i) ? 'num' : null }, c || h('span', { class: 'unseen' }, 'Actions'))))),
    h('tbody', {}, rows.map((r) => (r instanceof Node ? r : h('tr', {}, r.map(cell)))))));
}

export function field(label, input, hint) {
  const id = input.id || `f${nextID++}`;
  input.id = id;
  return h('div', { class: input.type === 'search' && hint ? 'field wide' : 'field' }, h('label', { for: id }, label), input, hint && h('small', { class: 'dim' }, hint));
}
let nextID = 1;

const two = (n) => String(n).padStart(2, '0');

/** A time as people read it, the whole of it in its title. */
export function time(text, { ms = false } = {}) {
  if (!text) return h('span', { class: 'dim' }, 'never');
  const t = new Date(text);
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  const clock = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}${ms ? `.${String(t.getMilliseconds()).padStart(3, '0')}` : ''}`;
  const today = new Date().toDateString() === t.toDateString();
  return h('time', { datetime: text, title: t.toISOString() }, today ? clock : `${day} ${clock}`);
}

export function number(n, digits = 0) {
  return Number(n).toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return `${number(n, i ? 1 : 0)} ${units[i]}`;
}

/** The text of a search's snippet, which comes escaped and with its matches in mark elements. */
export function highlighted(html) {
  const plain = (s) => s.replace(/&(lt|gt|amp|quot|#34|#39|#43);/g, (_, n) => ({ lt: '<', gt: '>', amp: '&', quot: '"', '#34': '"', '#39': "'", '#43': '+' })[n]);
  return html.split(/(<mark>.*?<\/mark>)/s).map((part) => {
    const m = /^<mark>(.*)<\/mark>$/s.exec(part);
    return m ? h('mark', {}, plain(m[1])) : plain(part);
  });
}

export const json = (value) => h('pre', { class: 'json', tabindex: '0', 'aria-label': 'JSON' }, JSON.stringify(value, null, 2));
