#!/usr/bin/env node
// The person and their browser, without a window: $BROWSER of the program under test. Opens the address, goes through the
// provider's own pages by submitting the forms that stand on them, and keeps its cookies as a browser does, so that a second
// sign-in finds the session of the first. Contacts loopback only.
//
// PERSON_FOLDER has `mood` (consent, refuse, away; read at each opening), `cookies.json` and `seen.jsonl`: one line for each
// address that was opened, and one for where it ended.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.env.PERSON_FOLDER;
const at = (name) => path.join(folder, name);
const note = (what) => appendFileSync(at('seen.jsonl'), `${JSON.stringify(what)}\n`);
const address = process.argv.at(-1);

// A browser gives the terminal back at once.
if (process.argv[2] !== '--inside') {
  const mood = existsSync(at('mood')) ? readFileSync(at('mood'), 'utf8').trim() : 'consent';
  if (mood !== 'away') spawn(process.execPath, [fileURLToPath(import.meta.url), '--inside', mood, address], { detached: true, stdio: 'ignore' }).unref();
  note({ opened: address });
  process.exit(0);
}

const mood = process.argv[3];
const cookies = existsSync(at('cookies.json')) ? JSON.parse(readFileSync(at('cookies.json'), 'utf8')) : {};

async function go(url, form) {
  if (url.hostname !== '127.0.0.1') throw new Error(`not on this machine: ${url.host}`);
  const jar = (cookies[url.host] ??= {});
  const response = await fetch(url, {
    method: form ? 'POST' : 'GET',
    body: form,
    redirect: 'manual',
    signal: AbortSignal.timeout(15000),
    headers: { accept: 'text/html', cookie: Object.entries(jar).map(([name, value]) => `${name}=${value}`).join('; ') },
  });
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    const past = /expires=([^;]+)/i.exec(line);
    if (value === '' || (past && Date.parse(past[1]) < Date.now())) delete jar[name]; else jar[name] = value;
  }
  writeFileSync(at('cookies.json'), JSON.stringify(cookies));
  return response;
}

const plain = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#x2F;', '/');
const attribute = (tag, name) => { const found = new RegExp(`\\b${name}="([^"]*)"`).exec(tag); return found && plain(found[1]); };

try {
  let url = new URL(address), form;
  for (let hop = 0; hop < 25; hop += 1) {
    const response = await go(url, form);
    form = undefined;
    const to = response.headers.get('location');
    if (to) { url = new URL(to, url); continue; }
    const html = await response.text();
    const cancel = /<a href="([^"]+)">\[ Cancel \]/.exec(html);
    const tag = /<form\b[^>]*>/.exec(html)?.[0];
    if (mood === 'refuse' && cancel) { url = new URL(plain(cancel[1]), url); continue; }
    if (!tag || !/interaction/.test(url.pathname)) {
      note({ ended: url.pathname, status: response.status, text: html.replace(/<(style|script)[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim().slice(0, 400) });
      break;
    }
    form = new URLSearchParams();
    for (const field of html.match(/<input\b[^>]*>/g) ?? []) form.append(attribute(field, 'name'), attribute(field, 'value') ?? 'someone');
    url = new URL(attribute(tag, 'action'), url);
  }
} catch (error) { note({ broke: String(error.message) }); }
