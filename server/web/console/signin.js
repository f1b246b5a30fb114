// Signing in, by name and password or by an API key.
import { h, replace, heading, field, failure } from './dom.js';
import * as session from './session.js';
import * as api from './api.js';

export default function view({ main }) {
  const name = h('input', { name: 'username', autocomplete: 'username', required: true, autofocus: true, autocapitalize: 'none', spellcheck: 'false' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  const key = h('input', { name: 'key', type: 'password', autocomplete: 'off', required: true, spellcheck: 'false' });
  const problem = h('div', {});
  if (sessionStorage.getItem('hal9.ended')) {
    sessionStorage.removeItem('hal9.ended');
    replace(problem, h('p', { class: 'note', role: 'status' }, 'The session has ended, or the key was revoked. Sign in to go on.'));
  }
  const done = () => {
    const after = sessionStorage.getItem('hal9.after');
    sessionStorage.removeItem('hal9.after');
    location.hash = after && !after.startsWith('#/signin') ? after : '#/overview';
  };
  const guard = (button, task) => async (e) => {
    e.preventDefault();
    replace(problem);
    button.disabled = true;
    try {
      await task();
      done();
    } catch (error) {
      replace(problem, failure(error));
    }
    button.disabled = false;
  };
  const login = h('button', { class: 'main' }, 'Sign in');
  const useKey = h('button', {}, 'Use this key');
  main.append(heading('Sign in'), problem, h('div', { class: 'pair' },
    h('form', { class: 'card', 'aria-label': 'With a password', onsubmit: guard(login, async () => {
      const { data } = await api.write('POST', '/api/v1/auth/login', { username: name.value, password: password.value });
      session.setTokens(data);
    }) }, field('Name', name), field('Password', password), login),
    h('form', { class: 'card', 'aria-label': 'With an API key', onsubmit: guard(useKey, async () => {
      const r = await fetch('/api/v1/auth/profile', { headers: { 'X-API-Key': key.value.trim() } });
      const body = await r.json();
      if (!r.ok) throw new api.Problem(r.status, body, r.headers.get('X-Request-Id'));
      session.setKey(key.value.trim(), body.data);
    }) }, field('API key', key, 'As hal9 admin create-key prints it, or one of your own.'), useKey)),
    h('p', { class: 'dim' }, 'What is entered here stays in this tab and ends with it.',
      document.documentElement.dataset.auth === 'required' ? null : ' On this machine reading and sending need no account.'));
}
