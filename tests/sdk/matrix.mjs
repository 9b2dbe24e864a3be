// Every official SDK client against every official SDK server: once directly, once through the program, and what the
// application was handed compared, feature by feature. Started by run.sh; prints a table, and writes the note with --write.
// usage: SDK_NODE=… PYTHON1=… PYTHON2=… RMCP=… BINARY=… matrix.mjs [--jobs=N] [--match=RE] [--write=FILE]
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { known, versions } from './known.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const { PYTHON1, PYTHON2, RMCP, BINARY } = process.env;
const options = Object.fromEntries(process.argv.slice(2).map((word) => word.replace(/^--/, '').split('=')));
const LIMIT = 75000;
const node = (script) => [process.execPath, path.join(here, script)];
const MODERN = '2026-07-28';

const SERVERS = [
  { name: 'ts1', command: node('servers/ts1.mjs'), era: 'legacy' },
  { name: 'ts1 SSE', of: 'ts1', path: '/sse', era: 'legacy', instead: 'ts1' },
  { name: 'py1', command: [PYTHON1, '-B', path.join(here, 'servers/py1.py')], era: 'legacy' },
  { name: 'ts2', command: node('servers/ts2.mjs'), era: 'both' },
  { name: 'ts2 modern', of: 'ts2', path: '/modern', era: 'modern', instead: 'ts2' },
  { name: 'py2', command: [PYTHON2, '-B', path.join(here, 'servers/py2.py')], era: 'both' },
];
// `older` is the mode in which the same client speaks the older era.
const ts = (mode) => ({ command: node('clients/ts.mjs'), mode });
const py = (python, mode) => ({ command: [python, '-B', path.join(here, 'clients/py.py')], mode });
const CLIENTS = [
  { name: 'ts1', ...ts('ts1') },
  { name: 'ts2 legacy', ...ts('legacy') },
  { name: 'ts2 auto', ...ts('auto'), older: 'ts2 legacy' },
  { name: 'ts2 pinned', ...ts(MODERN), older: 'ts2 legacy' },
  { name: 'py1', ...py(PYTHON1, 'py1') },
  { name: 'py2 legacy', ...py(PYTHON2, 'legacy') },
  { name: 'py2 auto', ...py(PYTHON2, 'auto'), older: 'py2 legacy' },
  { name: 'py2 pinned', ...py(PYTHON2, MODERN), older: 'py2 legacy' },
  ...(RMCP ? [
    { name: 'rmcp legacy', command: [RMCP], mode: 'legacy' },
    { name: 'rmcp auto', command: [RMCP], mode: 'auto', older: 'rmcp legacy' },
    { name: 'rmcp pinned', command: [RMCP], mode: MODERN, older: 'rmcp legacy' },
  ] : []),
];

const work = mkdtempSync(path.join(os.tmpdir(), 'countersign-sdk-'));
const started = [];
const environment = { ...process.env, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' };

const freePort = () => new Promise((resolve) => {
  const socket = net.createServer().listen(0, '127.0.0.1', () => { const { port } = socket.address(); socket.close(() => resolve(port)); });
});
const isUp = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

async function start(server) {
  server.port = await freePort();
  const child = spawn(server.command[0], [...server.command.slice(1), String(server.port)], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  started.push(child);
  let said = '';
  child.stderr.on('data', (chunk) => { said = (said + chunk).slice(-4000); });
  for (let tries = 0; tries < 600; tries++) {
    if (await isUp(server.port)) return;
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the server ${server.name} does not start: ${said}`);
}

function run(client, target) {
  return new Promise((resolve) => {
    const home = mkdtempSync(path.join(work, 'home-'));
    const env = { ...environment, MODE: client.mode, HOME: home, XDG_CONFIG_HOME: path.join(home, 'config'), COUNTERSIGN_HOME: path.join(home, 'countersign') };
    mkdirSync(env.XDG_CONFIG_HOME);
    const child = spawn(client.command[0], [...client.command.slice(1), ...target], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', error = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    child.stderr.on('data', (chunk) => { error = (error + chunk).slice(-2000); });
    const late = setTimeout(() => child.kill('SIGKILL'), LIMIT);
    child.on('close', () => {
      clearTimeout(late);
      try { resolve(JSON.parse(out.trim().split('\n').pop())); } catch { resolve({ features: {}, error: `no report: ${error.slice(-300)}` }); }
    });
  });
}

// What an application sees, without what only one era says: the marks of 2026-07-28 in results, and texts of JSON as JSON.
const MARKS = new Set(['resultType', 'ttlMs', 'cacheScope']);
function seen(value) {
  if (Array.isArray(value)) return value.map(seen);
  if (typeof value === 'string' && value.startsWith('{')) { try { return seen(JSON.parse(value)); } catch { return value; } }
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([key]) => !MARKS.has(key) && !key.startsWith('io.modelcontextprotocol/')).map(([key, of]) => [key, seen(of)]);
  // An empty `_meta` says nothing, and `isError: false` is what its absence says.
  const told = members.filter(([key, of]) => !(key === '_meta' && Object.keys(of ?? {}).length === 0) && !(key === 'isError' && of === false) && of !== null);
  return Object.fromEntries(told.sort(([a], [b]) => (a < b ? -1 : 1)));
}
// 2026-07-28 says -32602 where the older era said -32002.
const code = (of) => (of === -32002 ? -32602 : of);
function same(a, b, cross) {
  if (!cross) return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
  if (a?.error && b?.error) return code(a.error.code) === code(b.error.code);
  return JSON.stringify(seen(a)) === JSON.stringify(seen(b));
}
const sorted = (value) => (Array.isArray(value) ? value.map(sorted)
  : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, of]) => [key, sorted(of)])) : value);

const address = (server) => `http://127.0.0.1:${(server.of ? SERVERS.find((one) => one.name === server.of) : server).port}${server.path ?? '/mcp'}`;
const directly = new Map();
const direct = (client, server) => {
  const key = `${client.name} ${server.name}`;
  if (!directly.has(key)) directly.set(key, run(client, [address(server)]));
  return directly.get(key);
};

// Not connected, or connected without being understood.
const isNothing = (report) => report.error || Object.values(report.features).filter((feature) => feature?.error).length > 10;

async function cell(client, server) {
  // Directly first: a server that has never been asked may keep the program's first handshake waiting too long.
  let reference = await direct(client, server), than = 'direct';
  const through = await run(client, ['--', BINARY, 'serve', '--profile', 'plain', '--url', address(server)]);
  // Where the two have no revision or transport in common: the same client in the server's era, the same server in the
  // client's, or at its other address.
  const instead = SERVERS.find((one) => one.name === server.instead);
  const older = server.era === 'legacy' && CLIENTS.find((one) => one.name === client.older);
  for (const [other, at, name] of [[older, server, client.older], [client, instead, server.instead], [older, instead, `${client.older} at ${server.instead}`]]) {
    if (!isNothing(reference)) break;
    if (other && at) [reference, than] = [await direct(other, at), name];
  }
  const cross = than !== 'direct' || reference.era !== through.era;
  const names = Object.keys(reference.features).filter((name) => !(cross && name === 'ping'));
  const differ = names.filter((name) => !same(reference.features[name], through.features[name], cross));
  return { client: client.name, server: server.name, than, reference, through, total: names.length, differ: through.error ? ['everything'] : differ };
}

const results = [];
try {
  await Promise.all(SERVERS.filter((server) => server.command).map(start));
  const plan = CLIENTS.flatMap((client) => SERVERS.map((server) => [client, server]))
    .filter(([client, server]) => !options.match || new RegExp(options.match).test(`${client.name} > ${server.name}`));
  let next = 0;
  await Promise.all(Array.from({ length: Number(options.jobs ?? 4) }, async () => {
    while (next < plan.length) {
      const one = await cell(...plan[next++]);
      const open = one.differ.filter((name) => !known(one, name));
      one.open = open;
      results.push(one);
      console.log(`${open.length ? 'DIFFERS' : 'same   '} ${one.client.padEnd(12)} > ${one.server.padEnd(10)} ${one.through.version ?? '-'} (${one.than === 'direct' ? one.reference.version ?? '-' : `as ${one.than}`}) ${one.total - one.differ.length}/${one.total} ${one.differ.join(', ')} ${one.through.error ?? ''}`);
      for (const name of open.slice(0, 3)) console.log(`  ${name}\n    without: ${JSON.stringify(one.reference.features[name])?.slice(0, 400)}\n    through: ${JSON.stringify(one.through.features[name])?.slice(0, 400)}`);
    }
  }));
} finally {
  for (const child of started) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
}

if (options.write) writeFileSync(options.write, note());
const open = results.filter((one) => one.open.length || one.total < 20);
console.log(`\n${results.length - open.length} of ${results.length} pairs are the same through the program as without it`);
process.exit(open.length ? 1 : 0);

function note() {
  const at = (client, server) => results.find((one) => one.client === client.name && one.server === server.name);
  const short = (one) => {
    if (!one) return '–';
    const era = one.through.era === 'modern' ? '26' : '25';
    const without = one.reference.error || one.than !== 'direct' ? '–' : one.reference.era === 'modern' ? '26' : '25';
    return `${one.total - one.differ.length}/${one.total} ${without}→${era}${one.differ.length ? ` ${one.differ.map((name) => `[${known(one, name)?.mark ?? '?'}]`).join('')}` : ''}`;
  };
  const used = [...new Map(results.flatMap((one) => one.differ.map((name) => known(one, name)).filter(Boolean)).map((why) => [why.mark, why])).values()];
  const features = [...new Set(results.flatMap((one) => Object.keys(one.reference.features)))];
  return `# Official SDK clients through the program

Made by \`tests/sdk/run.sh --write\`; not edited by hand. Each official client speaks with each official server twice: directly, and through
\`countersign serve --profile plain --url …\`. What the SDK hands to its application is compared, feature by feature.

${versions}

| client | ${SERVERS.map((server) => server.name).join(' | ')} |
|---|${SERVERS.map(() => '---').join('|')}|
${CLIENTS.map((client) => `| ${client.name} | ${SERVERS.map((server) => short(at(client, server))).join(' | ')} |`).join('\n')}

\`27/27 25→25\` means: 27 of 27 features are the same; without the program this pair speaks a revision up to 2025-11-25, through it the client does too
(\`26\` is 2026-07-28). \`–→26\`: without the program the two have no revision or no transport in common; the result is compared with the same
client in the server's own era, or with the same server in the client's.

Features: ${features.join(', ')}.

${used.length ? used.map((why) => `* [${why.mark}] ${why.why}`).join('\n') : 'No differences.'}
`;
}
