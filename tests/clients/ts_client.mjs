// The official TypeScript SDK, playing a desktop client through one conversation.
//
//   ts_client.mjs COMMAND [ARG…]
//
// Owns: starting COMMAND over stdio, the conversation that README.md lists, one JSON line on stdout.
// Refuses to know: what was decided and by whom; the caller reads the line and asks the simulator.
import { readFile } from 'node:fs/promises';
import { loadFrom, nodeFolder } from './installed.mjs';
import { argumentsFor, isWaiting, ticketIn } from './waiting.mjs';

const load = loadFrom(nodeFolder());
const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = await load('@modelcontextprotocol/sdk/client/stdio.js');
const { CallToolResultSchema, ToolListChangedNotificationSchema } = await load('@modelcontextprotocol/sdk/types.js');

const AWAIT_TOOL = 'countersign_await_approval';
const [command, ...args] = process.argv.slice(2);
if (!command) {
  process.stderr.write('usage: ts_client.mjs COMMAND [ARG…]\n');
  process.exit(2);
}

const planned = (name) => (process.env[name] ? JSON.parse(process.env[name]) : undefined);
const read = planned('CLIENT_READ');
const trade = planned('CLIENT_TRADE');
const patience = Number(process.env.CLIENT_PATIENCE_SECONDS ?? 120) * 1000;
// What the SDK does by itself where an application says nothing; a hold has to fit into it.
const callTimeout = Number(process.env.CLIENT_CALL_TIMEOUT_SECONDS ?? 60) * 1000;

const seen = {
  client: 'typescript', sdk: await sdkVersion(), listings: 0, tools: [], progress: 0, lateProgress: 0,
  notifications: [], complaints: [],
};
const client = new Client({ name: 'countersign-test-ts', version: '1' }, { capabilities: {} });
// Lines that are no JSON-RPC, answers to no request: the SDK goes on after those, the test must not.
// Its one false alarm: progress is handled a tick after it arrives, so that progress right before the answer
// (both in one read) meets a call that has ended.
client.onerror = (error) => {
  const complaint = String(error?.message ?? error);
  if (complaint.includes('progress notification for an unknown token')) seen.lateProgress += 1;
  else seen.complaints.push(complaint);
};
client.fallbackNotificationHandler = async ({ method }) => void seen.notifications.push(method);
let changed = () => {};
client.setNotificationHandler(ToolListChangedNotificationSchema, ({ method }) => {
  seen.notifications.push(method);
  changed();
});

try {
  await converse();
  await client.close();
  if (seen.complaints.length) throw new Error(seen.complaints.join('; '));
} catch (error) {
  seen.error = String(error?.message ?? error);
  process.stderr.write(`ts_client: ${error?.stack ?? error}\n`);
  process.exitCode = 1;
  await client.close().catch(() => {});
}
process.stdout.write(`${JSON.stringify(seen)}\n`);

async function converse() {
  // The SDK passes on a handful of variables only; a test needs its own to reach the program.
  const transport = new StdioClientTransport({ command, args, env: { ...process.env }, stderr: 'inherit' });
  transport.setProtocolVersion = (version) => { seen.protocolVersion = version; };
  await client.connect(transport);
  seen.server = client.getServerVersion();
  await listUntil([read?.name, trade?.name].filter(Boolean));
  if (read) seen.read = await call(read);
  if (!trade) return;
  seen.trade = await call(trade);
  seen.final = isWaiting(seen.trade) ? await untilFinal(ticketIn(seen.trade)) : seen.trade;
}

/** Lists tools, again at each list_changed, until all of `names` are there. */
async function listUntil(names) {
  const end = Date.now() + patience;
  for (;;) {
    const change = new Promise((resolve) => { changed = resolve; });
    seen.tools = await listAll();
    const missing = names.filter((name) => !seen.tools.some((tool) => tool.name === name));
    if (missing.length === 0) return;
    if (Date.now() >= end) throw new Error(`never listed: ${missing.join(', ')}`);
    await Promise.race([change, new Promise((resolve) => { setTimeout(resolve, 1000); })]);
  }
}

async function listAll() {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor ? { cursor } : {});
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor);
  seen.listings += 1;
  return tools;
}

/** One tools/call, with a progress token as applications that show progress send it. */
function call(params) {
  const options = { timeout: callTimeout, resetTimeoutOnProgress: true, onprogress: () => { seen.progress += 1; } };
  return client.callTool(params, CallToolResultSchema, options);
}

async function untilFinal(ticket) {
  seen.awaited = [];
  const end = Date.now() + patience;
  await listUntil([AWAIT_TOOL]);
  const tool = seen.tools.find(({ name }) => name === AWAIT_TOOL);
  while (Date.now() < end) {
    const answer = await call({ name: AWAIT_TOOL, arguments: argumentsFor(tool, ticket) });
    seen.awaited.push(answer);
    if (!isWaiting(answer)) return answer;
  }
  throw new Error(`ticket ${ticket} was still waiting after ${patience} ms`);
}

async function sdkVersion() {
  const manifest = `${nodeFolder()}/node_modules/@modelcontextprotocol/sdk/package.json`;
  return JSON.parse(await readFile(manifest, 'utf8')).version;
}
