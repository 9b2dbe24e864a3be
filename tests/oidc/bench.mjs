// What the parts of the life share: the server as a child, an installation of the program in a folder of its own, an MCP
// client on its pipes.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const binary = process.env.BINARY;
const top = mkdtempSync(path.join(os.tmpdir(), 'countersign-oidc-'));
process.on('exit', () => rmSync(top, { recursive: true, force: true }));
const living = new Set();
process.on('exit', () => { for (const child of living) child.kill('SIGKILL'); });

/** Waits until `look` gives something; `what` says in the error what was waited for. */
export async function until(what, look, limit = 20_000) {
  for (const end = Date.now() + limit; ;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`it did not come: ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}
export function must(good, what, seen) {
  if (!good) throw new Error(`${what}${seen === undefined ? '' : `: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`}`);
}
const start = (command, args, options) => {
  const child = spawn(command, args, options);
  living.add(child);
  child.gone = new Promise((done) => child.on('close', (code) => { living.delete(child); done(code); }));
  return child;
};

let count = 0;
export const folder = (name) => { const made = path.join(top, `${count += 1}-${name}`); mkdirSync(made, { recursive: true }); return made; };

/** The authorization server and the resource. */
export class Service {
  constructor(words = [], env = {}) { this.words = words; this.env = env; this.store = path.join(folder('service'), 'store.json'); this.ports = '0,0,0'; }
  async start() {
    this.child = start(process.execPath, [path.join(here, 'server.mjs'), '--store', this.store, '--ports', this.ports, ...this.words],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...this.env } });
    let noise = '';
    this.child.stderr.on('data', (piece) => (noise += piece));
    const line = await Promise.race([readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]().next(),
      this.child.gone.then(() => { throw new Error(`the authorization server did not start: ${noise}`); })]);
    Object.assign(this, JSON.parse(line.value));
    // The same addresses after a restart.
    this.ports = [this.issuer, this.mcp, this.control].map((url) => new URL(url).port).join(',');
    return this;
  }
  async stop() { this.child.stdin.end(); this.child.kill(); await this.child.gone; }
  async restart({ lost = false } = {}) { await this.stop(); if (lost) rmSync(this.store, { force: true }); await this.start(); }
  async get(what) { return (await fetch(`${this.control}/${what}`)).json(); }
  async post(what, value) { return (await fetch(`${this.control}/${what}`, { method: 'POST', body: JSON.stringify(value) })).json(); }
  set(ways) { return this.post('set', ways); }
  forget(model, id) { return this.post('forget', { model, id }); }
  state() { return this.get('state'); }
  /** How many lines of the log look so. */
  async times(wish) { return (await this.lines(wish)).length; }
  async lines(wish) { return (await this.get('log')).filter((line) => Object.entries(wish).every(([key, value]) => line[key] === value)); }
}

/** An installation, with a person before it. */
export class Home {
  constructor(service, env = {}) {
    this.service = service;
    this.folder = folder('home');
    this.person = folder('person');
    const browser = path.join(this.person, 'browser');
    writeFileSync(browser, `#!/bin/sh\nexec '${process.execPath}' '${path.join(here, 'person.mjs')}' "$@"\n`);
    chmodSync(browser, 0o755);
    this.env = { PATH: process.env.PATH, HOME: this.person, COUNTERSIGN_HOME: this.folder, COUNTERSIGN_STORE: 'file', BROWSER: browser, PERSON_FOLDER: this.person, ...env };
  }
  mood(word) { writeFileSync(path.join(this.person, 'mood'), word); }
  seen() {
    const file = path.join(this.person, 'seen.jsonl');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) : [];
  }
  opened() { return this.seen().filter((line) => line.opened).map((line) => new URL(line.opened)); }
  ended() { return this.seen().filter((line) => line.ended); }
  /** Starts the plain relay and shakes hands. */
  async serve(words = []) {
    const client = new Client(start(binary, ['serve', '--profile', 'plain', '--url', this.service.mcp, ...words], { stdio: 'pipe', env: this.env }));
    await client.request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'oidc', version: '1' } });
    client.send({ method: 'notifications/initialized' });
    return client;
  }
  /** A verb, to its end. */
  async run(...words) {
    const child = start(binary, [...words, '--url', this.service.mcp], { stdio: ['ignore', 'pipe', 'pipe'], env: this.env });
    let said = '';
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (piece) => (said += piece));
    return { code: await child.gone, said };
  }
}

/** An MCP client on the program's pipes. */
export class Client {
  constructor(child) {
    this.child = child; this.next = 0; this.waiting = new Map(); this.noise = '';
    child.stderr.on('data', (piece) => (this.noise += piece));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      this.waiting.get(message.id)?.(message);
    });
    child.gone.then(() => { for (const done of this.waiting.values()) done({ error: { message: `the program ended: ${this.noise}` } }); });
  }
  send(message) { this.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`); }
  async request(method, params = {}, limit = 40_000) {
    const id = (this.next += 1);
    const answer = new Promise((done) => this.waiting.set(id, done));
    this.send({ id, method, params });
    const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`no answer to ${method}`)), limit).unref());
    return Promise.race([answer, late]);
  }
  call(tool, args = {}) { return this.request('tools/call', { name: tool, arguments: args }); }
  /** A call that must work. */
  async works(why, text = 'hello') {
    const answer = await this.call('echo', { text });
    must(answer.result?.content?.[0]?.text === `said ${text}`, `${why}: the call must work`, answer);
  }
  /** A call that must not, with these words in the answer, and nothing sent. */
  async fails(why, ...words) {
    const answer = await this.call('echo');
    const said = answer.error?.message ?? JSON.stringify(answer);
    for (const word of words) must(said.includes(word), `${why}: the answer must say "${word}"`, said);
    must(answer.error?.data?.countersign?.sent === 'no', `${why}: it was not sent, and must say so`, answer);
    return said;
  }
  async end() { this.child.stdin.end(); return this.child.gone; }
}
