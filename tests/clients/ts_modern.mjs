// The official TypeScript SDK 2.x in its newer mode (2026-07-28, no handshake), playing a desktop client.
//
//   ts_modern.mjs COMMAND [ARG…]
//
// Owns: starting COMMAND over stdio, discovery, the list, one read, one order, one JSON line on stdout.
// Refuses to know: what was decided and by whom; the caller reads the line and asks the simulator.
import { loadFrom, nodeFolder } from './installed.mjs';
import { argumentsFor, isWaiting, ticketIn } from './waiting.mjs';

const load = loadFrom(nodeFolder());
const { Client } = await load('@modelcontextprotocol/client');
const { StdioClientTransport } = await load('@modelcontextprotocol/client/stdio');

const AWAIT_TOOL = 'countersign_await_approval';
const [command, ...args] = process.argv.slice(2);
if (!command) {
  process.stderr.write('usage: ts_modern.mjs COMMAND [ARG…]\n');
  process.exit(2);
}
const planned = (name) => (process.env[name] ? JSON.parse(process.env[name]) : undefined);
const read = planned('CLIENT_READ');
const trade = planned('CLIENT_TRADE');
const mode = process.env.CLIENT_MODE === 'auto' ? 'auto' : { pin: '2026-07-28' };

const seen = { progress: 0, complaints: [], tools: [] };
const client = new Client(
  { name: 'countersign-test-ts2', version: '1' },
  { capabilities: {}, versionNegotiation: { mode } },
);
client.onerror = (error) => {
  const complaint = String(error?.message ?? error);
  // Handled a tick after it arrives, so that progress right before the answer meets a call that has ended.
  if (!complaint.includes('progress notification for an unknown token')) seen.complaints.push(complaint);
};

try {
  const transport = new StdioClientTransport({ command, args, env: { ...process.env }, stderr: 'inherit' });
  await client.connect(transport);
  seen.version = client.getNegotiatedProtocolVersion();
  seen.era = client.getProtocolEra();
  seen.server = client.getServerVersion();
  seen.capabilities = client.getServerCapabilities();
  await listUntil([read?.name, trade?.name].filter(Boolean));
  if (read) seen.read = await call(read);
  if (trade) {
    seen.trade = await call(trade);
    seen.final = seen.trade;
    while (isWaiting(seen.final)) {
      const tool = seen.listed.find(({ name }) => name === AWAIT_TOOL);
      seen.final = await call({ name: AWAIT_TOOL, arguments: argumentsFor(tool, ticketIn(seen.trade)) });
    }
  }
  await client.close();
  if (seen.complaints.length) throw new Error(seen.complaints.join('; '));
} catch (error) {
  seen.error = String(error?.message ?? error);
  process.stderr.write(`ts_modern: ${error?.stack ?? error}\n`);
  process.exitCode = 1;
  await client.close().catch(() => {});
}
delete seen.listed;
process.stdout.write(`${JSON.stringify(seen)}\n`);

/** Lists tools until all of `names` are there. */
async function listUntil(names) {
  const end = Date.now() + 60_000;
  for (;;) {
    seen.listed = (await client.listTools()).tools;
    seen.tools = seen.listed.map(({ name }) => name);
    const missing = names.filter((name) => !seen.tools.includes(name));
    if (missing.length === 0) return;
    if (Date.now() >= end) throw new Error(`never listed: ${missing.join(', ')}`);
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
}

function call(params) {
  return client.callTool(params, { resetTimeoutOnProgress: true, onprogress: () => { seen.progress += 1; } });
}
