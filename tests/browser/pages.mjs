// The pages a person meets, each told by its controls' roles and names, and what is done there.
// `act` makes the decision; `settle` waits until its consequence is on the screen.

// The page that asks for nothing but the PIN (arming) says "Unlock" and "Cancel"; the one that resumes, what it does.
const approveButton = (page) => page.getByRole('button', { name: /^(approve|unlock|allow ai trading)\b/i }).first();
const denyButton = (page) => page.getByRole('button', { name: /^(deny|cancel|keep it stopped)$/i }).first();
const haltButton = (page) => page.getByRole('button', { name: /stop ai trading/i }).first();
const pinField = (page) => page.locator('input[type=password]').first();
const isThere = async (locator) => (await locator.count()) > 0 && locator.isVisible();

/** A consent page's choices: a radio button whose label has `words` in it. */
async function choose(page, words, say) {
  if (!words) return;
  const choice = page.getByRole('radio', { name: words });
  await choice.check();
  say('chose', { words });
}

const consent = {
  name: 'consent',
  isThis: (page) => isThere(page.getByRole('button', { name: /^allow$/i })),
  async act(page, wishes, { say, decide, hold }) {
    await choose(page, wishes.scope, say);
    await choose(page, wishes.user, say);
    await hold();
    await decide(page.getByRole('button', { name: wishes.consent === 'deny' ? /^deny$/i : /^allow$/i }));
  },
  /** Back at the program's own callback page, which is another origin. */
  async settle(page, url, timeout) {
    await page.waitForURL((now) => now.origin !== new URL(url).origin, { timeout, waitUntil: 'load' });
  },
};

const approval = {
  name: 'approval',
  isThis: async (page) => (await isThere(denyButton(page))) && ((await isThere(approveButton(page))) || isThere(pinField(page))),
  async act(page, wishes, { decide, hold, say }) {
    if (wishes.decision === 'none') return;
    if (wishes.decision === 'deny') return void (await hold(), await decide(denyButton(page)));
    if (wishes.decision === 'halt') return void (await hold(), await decide(haltButton(page)));
    const pins = wishes.pins.length > 0 ? wishes.pins : [undefined];
    for (const [index, pin] of pins.entries()) {
      await approve(page, pin, { decide, hold });
      if (index < pins.length - 1) say('refused', { text: await refusal(page) });
    }
  },
  /** Nothing is left to press: the page says how it ended. */
  async settle(page, _url, timeout) {
    await denyButton(page).waitFor({ state: 'hidden', timeout });
  },
};

/** Types the PIN key by key, where one is asked for, and presses the button that says the deed. */
async function approve(page, pin, { decide, hold }) {
  if (pin !== undefined) {
    await pinField(page).click();
    await page.keyboard.press('Control+A');
    await page.keyboard.type(pin, { delay: 5 });
  }
  await hold();
  await decide(approveButton(page));
}

/** What the page says after a wrong PIN, read when it lets the person try again. */
async function refusal(page) {
  await approveButton(page).and(page.locator(':enabled')).waitFor();
  return page.getByRole('alert').filter({ visible: true, hasText: /\S/ }).last().innerText();
}

const aiClients = {
  name: 'ai-clients',
  isThis: async (page) => /AI Clients/.test(await page.title()),
  async act(page, wishes, { decide, hold, say }) {
    if (!wishes.revoke) return;
    await hold();
    const row = page.getByRole('row').filter({ hasText: wishes.revoke });
    for (let left = await row.count(); left > 0; left -= 1) {
      say('revoke', { row: await row.first().innerText() });
      await decide(row.first().getByRole('button'));
      await page.waitForLoadState('load');
    }
  },
  async settle() {},
};

/** The kinds of page, the most telling first. */
export const PAGES = [aiClients, consent, approval];

/** Something else: a callback's answer, an error. It is looked at and left. */
export const unknownPage = { name: 'other', async act() {}, async settle() {} };
