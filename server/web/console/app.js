// The frame around the views: which one the address names, who is signed in, the theme.
import { h, replace, announce, failure } from './dom.js';
import * as session from './session.js';
import * as api from './api.js';

const VIEWS = [
  { name: 'overview', title: 'Overview', load: () => import('./overview.js') },
  { name: 'signals', title: 'Signals', load: () => import('./signals.js') },
  { name: 'neurons', title: 'Neurons', load: () => import('./neurons.js') },
  { name: 'memories', title: 'Memories', load: () => import('./memories.js') },
  { name: 'account', title: 'Account', load: () => import('./account.js'), when: () => session.current() },
  { name: 'users', title: 'Users', load: () => import('./users.js'), when: session.isAdmin },
  { name: 'audit', title: 'Audit', load: () => import('./audit.js'), when: session.isAdmin },
];
const main = document.getElementById('main');
const nav = document.getElementById('nav');
const who = document.getElementById('who');

/** '#/neurons/neuron-l4?layer=L4' is {view: 'neurons', id: 'neuron-l4', params: {layer: 'L4'}}. */
function route() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const [view, ...id] = path.split('/');
  return { view: view || 'overview', id: id.map(decodeURIComponent).join('/'), params: Object.fromEntries(new URLSearchParams(search)) };
}

/** Changes the filters in the address without leaving the view. */
function setParams(params) {
  history.replaceState(null, '', location.hash.split('?')[0] + api.query(params));
}

let leaving = new AbortController();

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const r = route();
  // Where all is for accounts, nothing is asked that would be refused.
  if (document.documentElement.dataset.auth === 'required' && !session.current() && r.view !== 'signin') {
    needSignin();
    return;
  }
  drawFrame(r.view);
  const view = r.view === 'signin' ? { title: 'Sign in', load: () => import('./signin.js') } : VIEWS.find((v) => v.name === r.view);
  if (!view) {
    replace(main, h('div', { class: 'head' }, h('h1', { tabindex: '-1' }, 'There is no such view')), h('p', { class: 'note' }, h('a', { href: '#/overview' }, 'To the overview')));
    return;
  }
  document.title = `${r.id ? `${r.id} · ` : ''}${view.title} · HAL9`;
  try {
    const module = await view.load();
    if (signal.aborted) return;
    replace(main);
    await module.default({ main, id: r.id, params: r.params, setParams, signal });
  } catch (e) {
    if (signal.aborted || e.status === 401) return;
    replace(main, h('div', { class: 'head' }, h('h1', { tabindex: '-1' }, view.title)), failure(e, show));
  }
  if (signal.aborted) return;
  // Who came by the keyboard, or hears the page, is at the beginning of the new view.
  (main.querySelector('[autofocus]') ?? main.querySelector('h1'))?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  announce(document.title);
}

/** Leads to the sign-in, and from there back here. */
function needSignin() {
  sessionStorage.setItem('hal9.after', location.hash);
  location.replace('#/signin');
}

function drawFrame(active) {
  replace(nav, h('ul', {}, VIEWS.filter((v) => !v.when || v.when()).map((v) => h('li', {},
    h('a', { href: `#/${v.name}`, 'aria-current': v.name === active ? 'page' : null }, v.title)))));
  nav.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  const s = session.current();
  replace(who,
    h('button', { type: 'button', class: 'quiet', id: 'theme', onclick: toggleTheme, 'aria-label': `Change to the ${dark() ? 'light' : 'dark'} theme` }, dark() ? 'Light' : 'Dark'),
    s ? [h('span', { class: 'name', title: s.user.role }, s.user.username), h('button', { type: 'button', class: 'quiet', onclick: signOut }, 'Sign out')]
      : h('a', { href: '#/signin' }, 'Sign in'));
}

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function toggleTheme() {
  const next = dark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem('hal9.theme', next); } catch { /* for this page then */ }
  window.dispatchEvent(new CustomEvent('hal9:theme'));
  drawFrame(route().view);
  document.getElementById('theme').focus();
}

async function signOut() {
  try {
    if (session.current()?.kind === 'login') await api.write('POST', '/api/v1/auth/logout');
  } catch { /* the session ends by itself */ }
  session.signOut();
  announce('You are signed out');
  location.hash = '#/signin';
}

document.getElementById('skip').addEventListener('click', (e) => { e.preventDefault(); main.focus(); });
window.addEventListener('hal9:signin', ({ detail }) => {
  if (route().view === 'signin') return;
  if (detail.ended) sessionStorage.setItem('hal9.ended', 'yes');
  needSignin();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { window.dispatchEvent(new CustomEvent('hal9:theme')); drawFrame(route().view); });
window.addEventListener('hashchange', show);
session.onChange(() => drawFrame(route().view));
show();
