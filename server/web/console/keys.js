// A list of API keys, one's own or a user's.
import { h, table, time } from './dom.js';

const state = (k) => (k.expires_at && new Date(k.expires_at) < new Date() ? 'expired' : k.is_active ? 'active' : 'revoked');

export function keyTable(keys, revoke) {
  return table(['Name', 'Scopes', 'State', 'Last used', 'Made', ''], keys.map((k) => [
    k.name, h('span', { class: 'scopes' }, k.permissions.join(', ') || 'none'),
    h('span', { class: state(k) === 'active' ? 'good' : 'dim' }, state(k)), time(k.last_used_at), time(k.created_at),
    k.is_active && h('button', { type: 'button', class: 'quiet', 'aria-label': `Revoke the key ${k.name}`, onclick: (e) => confirmed(e.target, () => revoke(k)) }, 'Revoke')]), { caption: 'API keys' });
}

/** Asks by the button itself: what it does, it does at the second press. */
export function confirmed(button, act) {
  if (button.dataset.sure) { act(); return; }
  const before = button.textContent;
  button.dataset.sure = 'yes';
  button.textContent = 'Sure?';
  button.classList.add('danger');
  const back = () => { delete button.dataset.sure; button.textContent = before; button.classList.remove('danger'); };
  button.addEventListener('blur', back, { once: true });
}
