// Walks through the console in a real browser, as people do: by names and roles, by the
// keyboard, on a phone, in the dark. No console error, no refusal by the policy, and no
// request to anywhere else may happen on the way.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const { BASE, KEY, CHROMIUM_PATH, PICTURES } = process.env;
const patience = 20_000;

async function post(path, body, method = 'POST') {
  const r = await fetch(BASE + path, { method, headers: { 'Content-Type': 'application/json', 'X-API-Key': KEY }, body: JSON.stringify(body) });
  assert.ok(r.ok, `${method} ${path}: ${r.status} ${await r.clone().text()}`);
  return (await r.json()).data;
}

const neurons = [['strategic-planner', 'L4'], ['task-analyzer', 'L3'], ['executor', 'L2'], ['sensor-array', 'L1']];
const texts = ['Plan the transfer to the new orbit.', 'Split the antenna check into tasks.', 'Read the fault log of unit AE-35.', 'Report the temperature of deck 5.', 'Compare both forecasts and say which holds.', 'Keep the pod bay doors closed until further notice.'];
const send = (i, more = {}) => post('/api/v1/signals', {
  from_neuron: neurons[i % 4][0], layer_from: neurons[i % 4][1], to_neuron: neurons[(i + 1) % 4][0], layer_to: neurons[(i + 1) % 4][1], content: texts[i % texts.length], ...more,
});

/** Sends signals for a while, more and fewer, so that there is something to draw. */
async function busy(ms) {
  const began = Date.now();
  for (let i = 0; Date.now() - began < ms; i++) {
    await Promise.all([...Array(1 + Math.round(4 + 4 * Math.sin((Date.now() - began) / 2500)))].map((_, n) => send(i + n)));
  }
}

async function seed() {
  for (const [id, layer] of neurons) await post('/api/v1/neurons', { id, layer, system_prompt: `You are ${id}.`, settings: { temperature: 0.2 } });
  await post('/api/v1/neurons/executor/state', { state: 'Failed' }, 'PUT');
  const first = await send(0);
  await send(1, { metadata: { parent_id: first.id } });
  for (let i = 2; i < 40; i++) await send(i);
  await post('/api/v1/memories', { neuron_id: 'task-analyzer', layer: 'L3', entry_type: 'observation', content: 'The antenna <b>fails</b> within 72 hours & must be replaced.', importance: 0.9, metadata: { signal_id: first.id } });
  await post('/api/v1/memories', { neuron_id: 'executor', content: 'The replaced antennas work as before.', importance: 0.4 });
  await post('/api/v1/memories', { neuron_id: 'strategic-planner', content: 'Both forecasts were made from the same data.', importance: 0.6 });
  return first;
}

const faults = [];
function watch(page) {
  page.setDefaultTimeout(patience);
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') faults.push(`${m.type()}: ${m.text()} ${m.location().url}`); });
  page.on('pageerror', (e) => faults.push(`error: ${e.message}`));
  page.on('request', (r) => { if (!r.url().startsWith(BASE)) faults.push(`request to ${r.url()}`); });
}
const wait = (condition, what) => (async () => {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((d) => { setTimeout(d, 50); })) if (await condition()) return;
  throw new Error(`waited in vain: ${what}`);
})();
async function picture(page, name) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}
const title = (page, text) => page.getByRole('heading', { level: 1, name: text }).waitFor();
async function noSideways(page, what) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= window, `${what} is ${wide} px wide in a window of ${window}`);
}

/** Every field and button has a name, every view one first heading and the landmarks. */
async function accessible(page, what) {
  const bad = await page.evaluate(() => {
    const named = (e) => e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length || e.getAttribute('title');
    const list = [...document.querySelectorAll('button, a, input, select')].filter((e) => e.checkVisibility() && !named(e)).map((e) => e.outerHTML.slice(0, 120));
    if (document.querySelectorAll('h1').length !== 1) list.push('not one h1');
    for (const l of ['header', 'nav[aria-label]', 'main']) if (!document.querySelector(l)) list.push(`no ${l}`);
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
    if (new Set(ids).size !== ids.length) list.push('an id twice');
    return list;
  });
  assert.deepEqual(bad, [], what);
}

const steps = [];
const step = (name, run) => steps.push({ name, run });
let page;
let first;

step('a view that needs an account leads to the sign-in, which says what is wrong', async () => {
  await page.goto(`${BASE}/console#/neurons`);
  await title(page, 'Sign in');
  await page.waitForLoadState('networkidle');
  assert.deepEqual(faults, [], 'nothing is asked that is refused');
  assert.equal(await page.evaluate(() => document.activeElement.name), 'username', 'the focus');
  await page.getByLabel('Name', { exact: true }).fill('ann');
  await page.getByLabel('Password', { exact: true }).fill('wrong horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await picture(page, 'signin');
  await accessible(page, 'sign in');
});
step('after it comes the view that was asked for', async () => {
  await page.getByLabel('Password', { exact: true }).fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await title(page, 'Neurons');
  await page.reload();
  await title(page, 'Neurons');
});
step('a name without a gap leaves the other columns in sight', async () => {
  await post('/api/v1/neurons', { id: 'x'.repeat(200), layer: 'L1' });
  await page.reload();
  await page.getByRole('link', { name: 'x'.repeat(200) }).waitFor();
  const [wide, room] = await page.locator('.tablewrap').evaluate((e) => [e.scrollWidth, e.clientWidth]);
  assert.ok(wide <= room, `the table is ${wide} px wide in ${room}`);
  await post(`/api/v1/neurons/${'x'.repeat(200)}`, undefined, 'DELETE');
  await page.reload();
});
step('neurons are listed, searched, filtered and shown', async () => {
  await page.getByRole('link', { name: 'task-analyzer' }).waitFor();
  await picture(page, 'neurons');
  await page.getByLabel('Find', { exact: true }).fill('planner');
  await wait(async () => await page.locator('tbody tr').count() === 1, 'one neuron');
  assert.match(page.url(), /find=planner/);
  await page.getByLabel('Find', { exact: true }).fill('');
  await page.getByLabel('Layer', { exact: true }).selectOption('L2');
  await page.locator('tbody').getByText('unhealthy').waitFor();
  await accessible(page, 'neurons');
  await page.getByRole('link', { name: 'executor' }).click();
  await title(page, 'executor');
  await page.locator('.signal').first().waitFor();
  await picture(page, 'neuron');
  await accessible(page, 'a neuron');
});
step('signals come as they are sent, wait while paused, and pass the filters', async () => {
  await page.getByRole('link', { name: 'Signals', exact: true }).click();
  await page.locator('.state[data-state="live"]').waitFor();
  await page.locator('.signal').nth(30).waitFor();
  await send(0, { content: 'This one comes live.' });
  await page.getByText('This one comes live.').waitFor();
  for (let i = 0; i < 6; i++) await send(i);
  await picture(page, 'signals');
  await page.getByRole('button', { name: 'Pause' }).click();
  await send(1, { content: 'This one has to wait.' });
  await page.getByText('paused, 1 new').waitFor();
  assert.equal(await page.getByText('This one has to wait.').count(), 0);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('This one has to wait.').waitFor();
  await page.getByLabel('Neuron', { exact: true }).fill('sensor-array');
  await page.getByLabel('Neuron', { exact: true }).press('Enter');
  await page.locator('.state[data-state="live"]').waitFor();
  await page.locator('.signal').first().waitFor();
  await send(0, { content: 'Not for the array.' });
  await send(2, { content: 'For the array.' });
  await page.getByText('For the array.').waitFor();
  assert.equal(await page.getByText('Not for the array.').count(), 0);
  assert.match(page.url(), /neuron=sensor-array/);
  await accessible(page, 'signals');
});
step('one signal shows its trace', async () => {
  await page.goto(`${BASE}/console#/signals/${first.id}`);
  await page.getByText('received it').waitFor();
  await page.getByRole('link', { name: 'sent a signal because of it' }).waitFor();
  await page.getByRole('link', { name: 'remembered something because of it' }).waitFor();
  await picture(page, 'trace');
});
step('a search of memories highlights words, and no content becomes markup', async () => {
  await page.getByRole('link', { name: 'Memories', exact: true }).click();
  await page.locator('.memory').nth(2).waitFor();
  await page.getByLabel('Words', { exact: true }).fill('antenna replaced');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.locator('mark').first().waitFor();
  await page.getByText('2 found').waitFor();
  const marks = await page.locator('mark').allTextContents();
  assert.ok(marks.includes('antenna') && marks.includes('replaced'), marks.join());
  assert.equal(await page.locator('.memory b').count(), 0);
  await page.getByText('<b>fails</b>').waitFor();
  await picture(page, 'memories');
  await accessible(page, 'memories');
  await page.getByLabel('Words', { exact: true }).fill('nonesuch');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText('Nothing is remembered').waitFor();
});
step('the overview draws what the server does', async () => {
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await page.locator('canvas').nth(5).waitFor();
  await page.locator('meter').first().waitFor();
  await busy(PICTURES ? 15_000 : 500);
  await wait(async () => Number((await page.locator('.plot', { hasText: 'committed' }).locator('dd').first().textContent()).replace(/[^0-9.]/g, '')) > 0, 'a rate of signals');
  await picture(page, 'overview');
  await accessible(page, 'the overview');
});
step('users, keys and the audit log are there for admins', async () => {
  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByRole('link', { name: 'bob' }).waitFor();
  await page.getByLabel('Name of a new user', { exact: true }).fill('carol');
  await page.getByLabel('Password', { exact: true }).fill('correct horse');
  await page.getByRole('button', { name: 'Make the user' }).click();
  await page.getByRole('link', { name: 'carol' }).click();
  await title(page, 'carol');
  await page.getByRole('button', { name: 'Shut out' }).click();
  await page.getByRole('button', { name: 'Sure?' }).click();
  await page.getByText('not active').waitFor();
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByLabel('Name of a new key', { exact: true }).fill('nightly');
  await page.getByLabel('Scopes', { exact: true }).fill('ViewNeuron, ViewSignals, ViewMetrics');
  await page.getByRole('button', { name: 'Make a key' }).click();
  const secret = await page.locator('.secret').textContent();
  assert.match(secret, /^hal9_key_/);
  await page.getByText('this one').waitFor();
  await picture(page, 'account');
  await page.getByRole('button', { name: 'Revoke the key nightly' }).click();
  await page.getByRole('button', { name: 'Revoke the key nightly' }).click();
  await page.getByText('revoked').waitFor();
  await accessible(page, 'the account');
  await page.getByRole('link', { name: 'Audit' }).click();
  await page.locator('.audit summary').first().click();
  await page.getByLabel('Details', { exact: true }).first().waitFor();
  await picture(page, 'audit');
});
step('the keyboard reaches everything, and sees where it is', async () => {
  await page.goto(`${BASE}/console#/neurons`);
  await page.getByRole('link', { name: 'executor' }).waitFor();
  await page.evaluate(() => document.body.focus());
  await page.keyboard.press('Tab');
  const seen = new Set();
  let reached = false;
  for (let i = 0; i < 60 && !reached; i++) {
    const { name, outline } = await page.evaluate(() => ({ name: document.activeElement.textContent.trim() || document.activeElement.name, outline: getComputedStyle(document.activeElement).outlineStyle }));
    seen.add(name);
    assert.notEqual(outline, 'none', `${name} does not show that it has the focus`);
    if (name === 'executor') reached = true; else await page.keyboard.press('Tab');
  }
  assert.ok(reached, [...seen].join(', '));
  await page.keyboard.press('Enter');
  await title(page, 'executor');
  await wait(() => page.evaluate(() => document.activeElement.tagName === 'H1'), 'the focus at the head of the view');
});
step('dark follows the system, and the switch stays', async () => {
  await page.emulateMedia({ colorScheme: 'dark' });
  const back = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await wait(async () => await back() === 'rgb(19, 20, 23)', 'a dark page');
  await page.goto(`${BASE}/console#/overview`);
  await page.locator('canvas').nth(5).waitFor();
  if (PICTURES) await busy(12_000);
  await picture(page, 'overview-dark');
  await page.getByRole('button', { name: 'Change to the light theme' }).click();
  assert.equal(await back(), 'rgb(250, 250, 249)');
  await page.reload();
  assert.equal(await back(), 'rgb(250, 250, 249)');
  await page.getByRole('button', { name: 'Change to the dark theme' }).click();
});
step('a phone shows all views without scrolling sideways', async () => {
  await page.setViewportSize({ width: 375, height: 740 });
  for (const view of ['overview', 'signals', 'neurons', 'neurons/executor', `signals/${first.id}`, 'memories', 'memories?q=antenna', 'account', 'users', 'audit', 'signin']) {
    await page.goto(`${BASE}/console#/${view}`);
    await page.locator('main h1').waitFor();
    await wait(async () => await page.locator('.spin').count() === 0, `${view} to load`);
    await noSideways(page, view);
    await picture(page, `phone-${view.replace(/[^a-z]/g, '-').slice(0, 20)}`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
});
step('what ended the session is said, and where it was left it goes on', async () => {
  await page.goto(`${BASE}/console#/memories`);
  await title(page, 'Memories');
  await page.evaluate(() => { const s = JSON.parse(sessionStorage.getItem('hal9.session')); s.credential = s.refresh = 'hal9_at_gone'; sessionStorage.setItem('hal9.session', JSON.stringify(s)); });
  await page.reload();
  await title(page, 'Sign in');
  await page.getByText('The session has ended').waitFor();
  await picture(page, 'ended');
  await page.getByLabel('Name', { exact: true }).fill('bob');
  await page.getByLabel('Password', { exact: true }).fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await title(page, 'Memories');
});
step('who may not see the users is told so, and is offered nothing that fails', async () => {
  await page.goto(`${BASE}/console#/users`);
  await page.getByText('ManageUsers').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Make the user' }).count(), 0);
  assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 0);
});
step('signing out ends the session; a key signs in too, and what it may not is said', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await title(page, 'Sign in');
  // The step before ended on this very view, so that its title tells nothing yet.
  await wait(() => page.evaluate(() => sessionStorage.getItem('hal9.session') === null), 'the session to be gone');
  await page.getByLabel('API key', { exact: true }).fill(KEY);
  await page.getByRole('button', { name: 'Use this key' }).click();
  await title(page, 'Overview');
  await page.getByRole('link', { name: 'Account' }).click();
  await page.getByText('an API key may not do this').waitFor();
});

const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
let failed = 0;
try {
  first = await seed();
  page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' })).newPage();
  watch(page);
  for (const { name, run } of steps) {
    const began = Date.now();
    try {
      await run();
      // The failures that the steps ask for are errors to the browser too.
      const wrong = faults.splice(0).filter((f) => !/Failed to load resource.*\b(401|403)\b/.test(f));
      assert.deepEqual(wrong, []);
      console.log(`ok    ${name} (${Date.now() - began} ms)`);
    } catch (e) {
      failed++;
      console.log(`FAIL  ${name}\n      ${String(e.message).replaceAll('\n', '\n      ')}`);
      await picture(page, 'failed');
    }
  }
} finally {
  await browser.close();
}
console.log(failed ? `${failed} of ${steps.length} failed` : `all ${steps.length} passed`);
process.exit(failed ? 1 : 0);
