// An official TypeScript client, through everything that it can do with a server. One line of JSON: for each feature what
// the SDK handed to its application.
// usage: SDK_NODE=… MODE=ts1|legacy|auto|2026-07-28 ts.mjs URL
//        SDK_NODE=… MODE=… ts.mjs -- COMMAND [ARG…]
import { sdk } from '../packages.mjs';

const mode = process.env.MODE;
const old = mode === 'ts1';
const [first, ...rest] = process.argv.slice(2);
const url = first === '--' ? undefined : new URL(first);
const PATIENCE = 15000;
const key = `${mode}-${process.pid}`;
// Its own: servers tell all clients of what one of them touches.
const followed = `test://item/${process.pid}`;

const library = old
  ? { ...(await sdk('@modelcontextprotocol/sdk/client/index.js')), ...(await sdk('@modelcontextprotocol/sdk/client/stdio.js')),
      ...(await sdk('@modelcontextprotocol/sdk/client/streamableHttp.js')), ...(await sdk('@modelcontextprotocol/sdk/client/sse.js')),
      types: await sdk('@modelcontextprotocol/sdk/types.js') }
  : { ...(await sdk('@modelcontextprotocol/client')), ...(await sdk('@modelcontextprotocol/client/stdio')) };
const { Client, StdioClientTransport, StreamableHTTPClientTransport, SSEClientTransport } = library;
// The first major names a method by its schema, the second by its name.
const handle = (client, method, schema, answer) => client.setRequestHandler(old ? library.types[schema] : method, answer);
const hear = (client, method, schema, take) => client.setNotificationHandler(old ? library.types[schema] : method, take);

const options = { capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } } };
if (!old) options.versionNegotiation = { mode: mode === 'legacy' || mode === 'auto' ? mode : { pin: mode } };
const client = new Client({ name: `sdk-${mode}`, version: '1.0.0' }, options);

const heard = { updated: [], changed: 0, logs: [] };
let wakeUp = () => {};
const until = async (done) => {
  const end = Date.now() + PATIENCE;
  while (!done()) {
    if (Date.now() > end) throw new Error('it never came');
    await new Promise((resolve) => { wakeUp = resolve; setTimeout(resolve, 200); });
  }
};
let action = 'accept';
handle(client, 'sampling/createMessage', 'CreateMessageRequestSchema', ({ params }) => ({
  role: 'assistant', model: 'a-model', stopReason: 'endTurn', content: { type: 'text', text: `${params.messages[0].content.text}! (${params.maxTokens})` },
}));
handle(client, 'elicitation/create', 'ElicitRequestSchema', ({ params }) =>
  action === 'accept' ? { action, content: { name: params.message, size: 3 } } : { action });
handle(client, 'roots/list', 'ListRootsRequestSchema', () => ({ roots: [{ uri: 'file:///tests', name: 'tests' }] }));
hear(client, 'notifications/resources/updated', 'ResourceUpdatedNotificationSchema', ({ params }) => { heard.updated.push(params.uri); wakeUp(); });
hear(client, 'notifications/tools/list_changed', 'ToolListChangedNotificationSchema', () => { heard.changed++; wakeUp(); });
hear(client, 'notifications/message', 'LoggingMessageNotificationSchema', ({ params }) => { heard.logs.push(`${params.level} ${params.logger} ${JSON.stringify(params.data)}`); wakeUp(); });

const seen = {};
async function feature(name, work) {
  try {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('no end in time')), PATIENCE + 5000); });
    seen[name] = await Promise.race([work(), late]).finally(() => clearTimeout(timer)) ?? null;
  } catch (error) {
    seen[name] = { error: { code: error.code ?? null, message: String(error.message).slice(0, 200) } };
  }
}

function transport() {
  if (!url) return new StdioClientTransport({ command: rest[0], args: rest.slice(1), env: process.env, stderr: 'ignore' });
  return url.pathname.endsWith('/sse') ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
}

async function play() {
  await client.connect(transport(), { timeout: PATIENCE });
  const version = old ? client.transport.protocolVersion ?? client._negotiatedProtocolVersion : client.getNegotiatedProtocolVersion();
  const modern = !old && client.getProtocolEra() === 'modern';
  seen.connect = { server: client.getServerVersion(), capabilities: client.getServerCapabilities(), instructions: client.getInstructions() };
  const call = (name, args = {}, more = {}, how = {}) => client.callTool({ name, arguments: args, ...more }, ...(old ? [undefined, how] : [how]));

  await feature('tools', async () => (await client.listTools()).tools);
  await feature('pages', async () => {
    // By hand: the second major would walk the pages itself.
    const pages = [];
    for (let cursor; ;) {
      const page = await client.listResources({ ...(cursor === undefined ? { cursor: '0' } : { cursor }) });
      pages.push(page.resources);
      cursor = page.nextCursor;
      if (cursor === undefined || pages.length > 5) return pages;
    }
  });
  await feature('templates', async () => (await client.listResourceTemplates()).resourceTemplates);
  await feature('prompts', async () => (await client.listPrompts()).prompts);
  await feature('prompt', () => client.getPrompt({ name: 'about', arguments: { symbol: 'ES' } }));
  await feature('completion', async () => (await client.complete({ ref: { type: 'ref/prompt', name: 'about' }, argument: { name: 'symbol', value: 'M' } })).completion);
  await feature('read text', () => client.readResource({ uri: 'test://text' }));
  await feature('read blob', () => client.readResource({ uri: 'test://blob' }));
  await feature('read template', () => client.readResource({ uri: 'test://item/7' }));
  await feature('read missing', () => client.readResource({ uri: 'test://nothing' }));
  await feature('call', () => call('echo', { text: '1.50 \u00e9 \u2028 \ud83d\udcc8 "\\' }));
  await feature('structured', () => call('structured'));
  await feature('picture', () => call('picture'));
  await feature('tool error', () => call('fail'));
  await feature('unknown tool', () => call('nothing'));
  await feature('progress', async () => {
    const told = [];
    const answer = await call('steps', { count: 3 }, {}, { onprogress: (progress) => told.push(`${progress.progress}/${progress.total} ${progress.message}`) });
    return { told, answer };
  });
  await feature('cancel', async () => {
    const stop = new AbortController();
    const given = call('wait', { key }, {}, { signal: stop.signal }).then(() => 'answered', () => 'given up');
    const count = async () => JSON.parse((await call('cancelled', { key })).content[0].text);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let tries = 0; tries < 100 && (await count()).begun === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    stop.abort();
    const ended = await given;
    for (let tries = 0; tries < 100 && (await count()).cancelled === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    return { ended, server: await count() };
  });
  await feature('log', async () => {
    const level = modern ? { _meta: { 'io.modelcontextprotocol/logLevel': 'info' } } : {};
    if (!modern) await client.setLoggingLevel('info');
    await call('log', {}, level);
    await until(() => heard.logs.some((line) => line.startsWith('warning')));
    return heard.logs.filter((line) => line.startsWith('warning'));
  });
  await feature('sampling', () => call('sample', { prompt: 'hi' }));
  action = 'accept';
  await feature('elicit accept', () => call('ask', { question: 'who' }));
  action = 'decline';
  await feature('elicit decline', () => call('ask', { question: 'who' }));
  await feature('roots', () => call('roots'));
  let listening;
  await feature('updated', async () => {
    if (modern) {
      listening = await client.listen({ resourceSubscriptions: [followed], toolsListChanged: true });
    } else {
      await client.subscribeResource({ uri: followed });
    }
    await call('touch', { uri: 'test://blob' });
    await call('touch', { uri: followed });
    await until(() => heard.updated.length > 0);
    return heard.updated.map((uri) => (uri === followed ? 'the followed one' : uri));
  });
  await feature('list changed', async () => {
    await call('grow');
    await until(() => heard.changed > 0);
    return heard.changed > 0;
  });
  await feature('unsubscribe', async () => {
    const before = heard.updated.length;
    if (modern) await listening.close();
    else await client.unsubscribeResource({ uri: followed });
    // The cancel of a stream has no answer; it needs a moment to arrive, on any way.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await call('touch', { uri: followed });
    await call('echo', { text: 'after' });
    return heard.updated.length - before;
  });
  if (!modern) await feature('ping', async () => (await client.ping(), true));
  await feature('close', async () => (await client.close(), true));
  return { mode, version, era: modern ? 'modern' : 'legacy', features: seen };
}

const hard = setTimeout(() => { console.log(JSON.stringify({ mode, features: seen, error: 'the whole run took too long' })); process.exit(1); }, 60000);
try {
  const report = await play();
  console.log(JSON.stringify(report));
} catch (error) {
  console.log(JSON.stringify({ mode, features: seen, error: `${error.code ?? ''} ${error.message}`.slice(0, 200) }));
}
clearTimeout(hard);
process.exit(0);
