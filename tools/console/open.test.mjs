// What the console is to somebody who has just typed the two commands of the README: no
// account, no sign-in, an empty service, and then the first signal.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const { BASE, CHROMIUM_PATH } = process.env;
const faults = [];
const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') faults.push(`${m.type()}: ${m.text()}`); });
  page.on('pageerror', (e) => faults.push(`error: ${e.message}`));
  page.on('request', (r) => { if (!r.url().startsWith(BASE)) faults.push(`request to ${r.url()}`); });
  const title = (text) => page.getByRole('heading', { level: 1, name: text }).waitFor();

  await page.goto(`${BASE}/console`);
  await title('Overview');
  await page.getByRole('link', { name: 'Neurons', exact: true }).click();
  await title('Neurons');
  await page.getByRole('link', { name: 'neuron-l4' }).waitFor();
  await page.getByRole('link', { name: 'Signals', exact: true }).click();
  await page.locator('.state[data-state="live"]').waitFor();
  const r = await fetch(`${BASE}/api/v1/signal`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"content": "the first of all", "layer": "strategic"}' });
  assert.ok(r.ok, `POST: ${r.status}`);
  await page.getByText('the first of all').first().waitFor();
  await page.getByRole('link', { name: 'Memories', exact: true }).click();
  await title('Memories');
  console.log('ok: no account is asked for, and the first signal appears as it is sent');
  assert.deepEqual(faults, []);
} finally {
  await browser.close();
}
