// A server on the TypeScript SDK 1.x: /mcp is Streamable HTTP with sessions, /sse the two addresses of 2024-11-05.
// usage: SDK_NODE=… ts1.mjs PORT
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import * as parts from './parts.mjs';
import { sdk } from '../packages.mjs';

const { Server } = await sdk('@modelcontextprotocol/sdk/server/index.js');
const { StreamableHTTPServerTransport } = await sdk('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { SSEServerTransport } = await sdk('@modelcontextprotocol/sdk/server/sse.js');
const types = await sdk('@modelcontextprotocol/sdk/types.js');

function server() {
  const one = new Server(parts.info('ts1'), { capabilities: parts.capabilities, instructions: parts.instructions });
  const subscribed = new Set();
  one.setRequestHandler(types.ListToolsRequestSchema, () => ({ tools: parts.catalog.tools }));
  one.setRequestHandler(types.ListResourcesRequestSchema, ({ params }) => parts.resources(params?.cursor));
  one.setRequestHandler(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: parts.catalog.templates }));
  one.setRequestHandler(types.ListPromptsRequestSchema, () => ({ prompts: parts.catalog.prompts }));
  one.setRequestHandler(types.GetPromptRequestSchema, ({ params }) => parts.prompt(params.name, params.arguments));
  one.setRequestHandler(types.CompleteRequestSchema, ({ params }) => parts.completion(params.argument));
  one.setRequestHandler(types.SubscribeRequestSchema, ({ params }) => (subscribed.add(params.uri), {}));
  one.setRequestHandler(types.UnsubscribeRequestSchema, ({ params }) => (subscribed.delete(params.uri), {}));
  one.setRequestHandler(types.ReadResourceRequestSchema, ({ params }) => {
    const found = parts.resource(params.uri);
    if (!found) throw new types.McpError(-32002, 'no such resource', { uri: params.uri });
    return found;
  });
  one.setRequestHandler(types.CallToolRequestSchema, async ({ params }, extra) => {
    const args = params.arguments ?? {};
    switch (params.name) {
      case 'sample': return parts.said(await extra.sendRequest({ method: 'sampling/createMessage', params: parts.sampling(args.prompt) }, types.CreateMessageResultSchema));
      case 'ask': return parts.said(await extra.sendRequest({ method: 'elicitation/create', params: { message: args.question, requestedSchema: parts.question } }, types.ElicitResultSchema));
      case 'roots': return parts.said(await extra.sendRequest({ method: 'roots/list' }, types.ListRootsResultSchema));
    }
    const answer = await parts.simple(params.name, args, {
      signal: extra.signal,
      notify: extra.sendNotification,
      progressToken: params._meta?.progressToken,
      log: (level, data) => one.sendLoggingMessage({ level, logger: 'tests', data }, extra.sessionId),
      touch: (uri) => (subscribed.has(uri) ? one.sendResourceUpdated({ uri }) : undefined),
      grow: () => one.sendToolListChanged(),
    });
    if (!answer) throw new types.McpError(types.ErrorCode.InvalidParams, `no tool ${params.name}`);
    return answer;
  });
  return one;
}

const sessions = new Map();
const refuse = (res, status) => res.writeHead(status).end();

async function streamable(req, res) {
  let transport = sessions.get(req.headers['mcp-session-id']);
  if (!transport && req.headers['mcp-session-id']) return refuse(res, 404);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport) });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await server().connect(transport);
  }
  await transport.handleRequest(req, res);
}

http.createServer(async (req, res) => {
  const { pathname, searchParams } = new URL(req.url, 'http://localhost');
  try {
    if (pathname === '/mcp') return await streamable(req, res);
    if (pathname === '/sse' && req.method === 'GET') {
      const transport = new SSEServerTransport('/messages', res);
      sessions.set(transport.sessionId, transport);
      res.on('close', () => sessions.delete(transport.sessionId));
      return await server().connect(transport);
    }
    if (pathname === '/sse') return refuse(res, 405);
    const transport = pathname === '/messages' && sessions.get(searchParams.get('sessionId'));
    return transport ? await transport.handlePostMessage(req, res) : refuse(res, 404);
  } catch (error) {
    console.error(error);
    if (!res.headersSent) refuse(res, 500);
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
