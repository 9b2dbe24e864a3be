// A person at a real browser (Chromium, driven by playwright-core), deciding on whatever page a URL shows.
//
//   browser.mjs URL
//
// Owns: one visit, from the first page to the last one that a decision leads to; one JSON object a line on stdout.
// Refuses to know: tokens, tickets, what ought to have happened; the test reads the lines and asks the simulator.
// README.md beside this file has the variables and the events.
import { existsSync } from 'node:fs';
import { loadFrom, nodeFolder } from '../clients/installed.mjs';
import { PAGES, unknownPage } from './pages.mjs';
import { screenshots } from './screenshots.mjs';

const CHROMIUM_FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

const env = process.env;
const wishes = {
  consent: env.COUNTERSIGN_TEST_CONSENT ?? 'allow',
  user: env.COUNTERSIGN_TEST_USER,
  scope: env.COUNTERSIGN_TEST_SCOPE,
  decision: env.COUNTERSIGN_TEST_DECISION ?? 'approve',
  pins: (env.COUNTERSIGN_TEST_PIN ?? '').split('\n').filter(Boolean),
  revoke: env.COUNTERSIGN_TEST_REVOKE,
  doubleClick: env.COUNTERSIGN_TEST_DOUBLE_CLICK === '1',
  waitFor: env.COUNTERSIGN_TEST_GO,
  // A person reads first; and an approval in a card's first 700 ms is ignored.
  hesitation: Number(env.COUNTERSIGN_TEST_HESITATION_MS ?? 1200),
  patience: Number(env.COUNTERSIGN_TEST_BROWSER_SECONDS ?? 60) * 1000,
};

const say = (event, facts = {}) => process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const isLoopback = ({ protocol, hostname }) =>
  ['about:', 'data:', 'blob:'].includes(protocol) || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);

const url = process.argv.slice(2).findLast((word) => /^https?:\/\//i.test(word));
if (!url) {
  process.stderr.write('usage: browser.mjs URL\n');
  process.exit(2);
}
say('opened', { url });

// Whatever hangs, this process and its Chromium end.
const limit = setTimeout(() => leave('failed', { message: `not done after ${wishes.patience} ms` }), wishes.patience);
let browser;
let page;
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => leave('failed', { message: signal }));

try {
  await visit();
  await leave('done', await whatIsThere());
} catch (error) {
  // Without the colours that playwright writes into its messages.
  const message = String(error?.message ?? error).replace(/\u001b\[\d+m/g, '');
  await leave('failed', { message, ...(await whatIsThere().catch(() => ({}))) });
}

async function visit() {
  page = await open();
  await goTo(url);
  if (wishes.consent === 'ignore') return;
  const kind = await recognise();
  const shoot = screenshots(page, env.COUNTERSIGN_TEST_ARTEFACTS, env.COUNTERSIGN_TEST_SHOT ?? kind.name);
  say('page', { kind: kind.name, ...(await whatIsThere()), focused: await focused() });
  await shoot('before');
  await sleep(wishes.hesitation);
  await kind.act(page, wishes, { say, decide, hold });
  await kind.settle(page, url, wishes.patience);
  await shoot('after');
}

async function open() {
  const { chromium } = await loadFrom(nodeFolder())('playwright-core').then((module) => module.default ?? module);
  const executablePath = env.COUNTERSIGN_TEST_CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is not there: run tests/run.sh --only install`);
  browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS, chromiumSandbox: false });
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
  // A page of ours that asks another host for anything is a finding, not something to let happen.
  await context.route((address) => !isLoopback(address), (route) => {
    say('foreign', { url: route.request().url() });
    return route.abort();
  });
  const opened = await context.newPage();
  opened.on('console', (message) => say('console', { level: message.type(), text: message.text() }));
  opened.on('pageerror', (error) => say('console', { level: 'exception', text: String(error) }));
  opened.on('response', (response) => {
    if (response.request().isNavigationRequest()) say('response', { url: response.url(), status: response.status() });
  });
  return opened;
}

/** Goes to a page whose server may be about to listen. */
async function goTo(address) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await page.goto(address, { waitUntil: 'load' });
    } catch (error) {
      if (!/ERR_CONNECTION_REFUSED/.test(String(error)) || tries >= 40) throw error;
      await sleep(150);
    }
  }
}

/** Which page this is: told by its controls, as a person tells it; they may take a moment to appear. */
async function recognise() {
  const end = Date.now() + 5000;
  do {
    for (const kind of PAGES) if (await kind.isThis(page)) return kind;
    await sleep(50);
  } while (Date.now() < end);
  return unknownPage;
}

/** Clicks with the mouse, in the middle of the button, once or twice. */
async function decide(button) {
  const name = (await button.innerText()).trim();
  const box = await button.boundingBox();
  say('click', { name, double: wishes.doubleClick, width: box?.width, height: box?.height });
  await (wishes.doubleClick ? button.dblclick() : button.click());
}

/** Waits for the test's go, if it wants to choose the moment: the file named by COUNTERSIGN_TEST_GO. */
async function hold() {
  if (!wishes.waitFor) return;
  say('ready');
  while (!existsSync(wishes.waitFor)) await sleep(5);
}

/** The page as a screen reader gives it, which is also what a test can compare. */
async function whatIsThere() {
  if (!page) return {};
  const body = page.locator('body');
  return { url: page.url(), title: await page.title(), text: await body.innerText(), aria: await body.ariaSnapshot() };
}

function focused() {
  return page.evaluate(() => {
    const { activeElement: element } = document;
    return element && element !== document.body ? (element.innerText || element.name || element.id || element.tagName) : null;
  });
}

async function leave(event, facts) {
  clearTimeout(limit);
  say(event, facts);
  await browser?.close().catch(() => {});
  process.exit(event === 'done' ? 0 : 1);
}
