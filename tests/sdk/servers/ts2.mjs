// A server on the TypeScript SDK 2.x: /mcp speaks both eras (the older one with sessions), /modern 2026-07-28 alone.
// usage: SDK_NODE=… ts2.mjs PORT
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import * as parts from './parts.mjs';
import { sdk } from '../packages.mjs';

const { Server, ProtocolError, createMcpHandler, inputRequired, isLegacyRequest } = await sdk('@modelcontextprotocol/server');
const { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } = await sdk('@modelcontextprotocol/node');

// One answer to one question, in both eras: the SDK asks an older client with a request of its own.
function asked(ctx, request) {
  const answer = ctx.mcpReq.inputResponses?.q;
  return answer ? parts.said(answer) : inputRequired({ inputRequests: { q: request } });
}

function server(modern) {
  const one = new Server(parts.info('ts2'), { capabilities: parts.capabilities, instructions: parts.instructions });
  const subscribed = new Set();
  one.setRequestHandler('tools/list', () => ({ tools: parts.catalog.tools }));
  one.setRequestHandler('resources/list', ({ params }) => parts.resources(params?.cursor));
  one.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: parts.catalog.templates }));
  one.setRequestHandler('prompts/list', () => ({ prompts: parts.catalog.prompts }));
  one.setRequestHandler('prompts/get', ({ params }) => parts.prompt(params.name, params.arguments));
  one.setRequestHandler('completion/complete', ({ params }) => parts.completion(params.argument));
  if (!modern) {
    one.setRequestHandler('resources/subscribe', ({ params }) => (subscribed.add(params.uri), {}));
    one.setRequestHandler('resources/unsubscribe', ({ params }) => (subscribed.delete(params.uri), {}));
  }
  one.setRequestHandler('resources/read', ({ params }) => {
    const found = parts.resource(params.uri);
    if (!found) throw new ProtocolError(modern ? -32602 : -32002, 'no such resource', { uri: params.uri });
    return found;
  });
  one.setRequestHandler('tools/call', async ({ params }, ctx) => {
    const args = params.arguments ?? {};
    switch (params.name) {
      case 'sample': return asked(ctx, inputRequired.createMessage(parts.sampling(args.prompt)));
      case 'ask': return asked(ctx, inputRequired.elicit({ message: args.question, requestedSchema: parts.question }));
      case 'roots': return asked(ctx, inputRequired.listRoots());
    }
    const answer = await parts.simple(params.name, args, {
      signal: ctx.mcpReq.signal,
      notify: ctx.mcpReq.notify,
      progressToken: ctx.mcpReq._meta?.progressToken,
      log: (level, data) => ctx.mcpReq.log(level, data, 'tests'),
      touch: (uri) => (modern ? modern.notify.resourceUpdated(uri) : subscribed.has(uri) ? one.sendResourceUpdated({ uri }) : undefined),
      grow: () => (modern ? modern.notify.toolsChanged() : one.sendToolListChanged()),
    });
    if (!answer) throw new ProtocolError(-32602, `no tool ${params.name}`);
    return answer;
  });
  return one;
}

const modern = createMcpHandler(() => server(modern), { legacy: 'reject' });
const asNode = toNodeHandler(modern);
const sessions = new Map();

async function legacy(req, res, body) {
  let transport = sessions.get(req.headers['mcp-session-id']);
  if (!transport && req.headers['mcp-session-id']) return res.writeHead(404).end();
  if (!transport) {
    transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport) });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await server().connect(transport);
  }
  await transport.handleRequest(req, res, body);
}

http.createServer(async (req, res) => {
  try {
    let text = '';
    for await (const chunk of req) text += chunk;
    const body = text ? JSON.parse(text) : undefined;
    const { pathname } = new URL(req.url, 'http://localhost');
    if (pathname === '/modern') return await asNode(req, res, body);
    if (pathname !== '/mcp') return res.writeHead(404).end();
    if (await isLegacyRequest(await toWebRequest(req, body))) return await legacy(req, res, body);
    return await asNode(req, res, body);
  } catch (error) {
    console.error(error);
    if (!res.headersSent) res.writeHead(500).end();
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
