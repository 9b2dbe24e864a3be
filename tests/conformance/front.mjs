#!/usr/bin/env node
// A Streamable HTTP server in front of a stdio server, so that a suite that speaks HTTP can judge what speaks on stdio. For tests:
// on loopback, without sign-in, no limits.
//
// 2025-11-25 and before: one process of the command for each session; HTTP itself is the official SDK's transport.
// 2026-07-28: one process for all requests; ids and progress tokens are made unique on the way in and put back on the way out,
// and the request headers are checked against the body as that revision asks of a server.
//
// usage: SDK_NODE=FOLDER front.mjs PORT LOG -- COMMAND [ARG…]
import { randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [port, log, dashes, command, ...args] = process.argv.slice(2);
if (dashes !== '--' || !command) { console.error('usage: front.mjs PORT LOG -- COMMAND [ARG…]'); process.exit(2); }
const from = createRequire(path.resolve(process.env.SDK_NODE ?? '.', 'x.js'));
const { StreamableHTTPServerTransport } = await import(pathToFileURL(from.resolve('@modelcontextprotocol/sdk/server/streamableHttp.js')));
const MODERN = '2026-07-28';
const META = 'io.modelcontextprotocol/';
const stderr = createWriteStream(log, { flags: 'a' });
const children = new Set();

function start(take) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  children.add(child);
  child.stderr.pipe(stderr, { end: false });
  child.stdin.on('error', () => {});
  child.on('exit', () => children.delete(child));
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.trim()) take(JSON.parse(line));
  });
  return { write: (message) => child.stdin.write(`${JSON.stringify(message)}\n`), end: () => child.stdin.end() };
}

// ---- with sessions ---------------------------------------------------------
const sessions = new Map();

async function session() {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport) });
  const open = new Map();
  const last = () => [...open.keys()].at(-1);
  const server = start((message) => {
    const { id, method, params } = message;
    if (method === undefined) { open.delete(id); return transport.send(message); }
    // Beside an answer: on the stream of the request that it belongs to, where that can be told.
    let about;
    if (method === 'notifications/progress') about = [...open].find(([, token]) => token === params.progressToken)?.[0];
    else if (method === 'notifications/message' || id !== undefined) about = last();
    return transport.send(message, about === undefined ? undefined : { relatedRequestId: about });
  });
  transport.onmessage = (message) => {
    if (message.method !== undefined && message.id !== undefined) open.set(message.id, message.params?._meta?.progressToken);
    server.write(message);
  };
  transport.onclose = () => { sessions.delete(transport.sessionId); server.end(); };
  await transport.start();
  return transport;
}

// ---- without ---------------------------------------------------------------
let shared, count = 0;
const running = new Map(), tokens = new Map();
const HEADER_MISMATCH = -32020;

function stateless() {
  shared ??= start((message) => {
    const { id, method, params } = message;
    if (method === undefined) {
      const request = running.get(id);
      if (!request) return;
      running.delete(id);
      tokens.delete(request.token);
      return request.answer({ ...message, id: request.id });
    }
    const subscription = params?._meta?.[`${META}subscriptionId`];
    if (method === 'notifications/progress') {
      const request = tokens.get(params.progressToken);
      return request?.beside({ ...message, params: { ...params, progressToken: request.given } });
    }
    if (subscription !== undefined) {
      const request = running.get(subscription);
      return request?.beside({ ...message, params: { ...params, _meta: { ...params._meta, [`${META}subscriptionId`]: request.id } } });
    }
    // A log message is for a request that asked for it; which one, stdio does not say.
    if (method === 'notifications/message') [...running.values()].findLast((request) => request.logs)?.beside(message);
  });
  return shared;
}

const STATUS = { [-32601]: 404, [-32600]: 400, [-32602]: 400, [-32700]: 400, [-32020]: 400, [-32021]: 400, [-32022]: 400 };
const refuse = (res, code, message, id = null, data) => res.writeHead(STATUS[code] ?? 400, { 'content-type': 'application/json' })
  .end(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, ...(data ? { data } : {}) } }));

// A header's value as it stands in the body (2026-07-28, value encoding).
function decoded(value) {
  const coded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value);
  if (!coded) return value;
  const bytes = Buffer.from(coded[1], 'base64');
  return bytes.toString('base64') === coded[1] ? bytes.toString('utf8') : undefined;
}

// The parameters of the listed tools that are to be repeated in headers: name of the tool -> [header, path].
const mirrored = new Map();
function note(tools) {
  const walk = (schema, at) => Object.entries(schema?.properties ?? {}).flatMap(([key, of]) => [
    ...(typeof of?.['x-mcp-header'] === 'string' ? [[`mcp-param-${of['x-mcp-header'].toLowerCase()}`, [...at, key]]] : []),
    ...(of?.type === 'object' ? walk(of, [...at, key]) : []),
  ]);
  for (const tool of tools) mirrored.set(tool.name, walk(tool.inputSchema, []));
}

function ask(method, params) {
  const id = `front-${count++}`;
  return new Promise((resolve) => {
    running.set(id, { id, answer: resolve, beside: () => {} });
    stateless().write({ jsonrpc: '2.0', id, method, params });
  });
}

// What is wrong with the headers of a request, or undefined.
async function mismatch({ headers }, { method, params }) {
  const name = { 'tools/call': params?.name, 'prompts/get': params?.name, 'resources/read': params?.uri }[method];
  if (headers['mcp-method'] === undefined || headers['mcp-method'] !== method) return 'Mcp-Method is not the method of the body';
  if (name !== undefined && (headers['mcp-name'] === undefined || decoded(headers['mcp-name']) !== name)) return 'Mcp-Name is not the name in the body';
  if (method !== 'tools/call') return undefined;
  if (!mirrored.has(name)) {
    const listed = await ask('tools/list', { _meta: params._meta });
    note(listed.result?.tools ?? []);
  }
  for (const [header, where] of mirrored.get(name) ?? []) {
    const value = where.reduce((of, key) => of?.[key], params.arguments);
    const given = headers[header];
    if (value === undefined || value === null) {
      if (given !== undefined) return `${header} repeats nothing`;
      continue;
    }
    const told = given === undefined ? undefined : decoded(given);
    const same = told !== undefined && (typeof value === 'number' ? told.trim() !== '' && Number(told) === value : told === String(value));
    if (!same) return `${header} is not the argument in the body`;
  }
  return undefined;
}

async function modern(req, res, message) {
  const { id, params } = message;
  if (id === undefined) return res.writeHead(202).end();
  const meta = params?._meta ?? {};
  const version = meta[`${META}protocolVersion`];
  if (typeof version !== 'string' || typeof meta[`${META}clientCapabilities`] !== 'object') return refuse(res, -32602, 'the request does not say who asks', id);
  if (req.headers['mcp-protocol-version'] !== version) return refuse(res, HEADER_MISMATCH, 'MCP-Protocol-Version is not the revision in the body', id);
  if (version !== MODERN) return refuse(res, -32022, 'this revision is not spoken here', id, { supported: [MODERN], requested: version });
  const wrong = await mismatch(req, message);
  if (wrong) return refuse(res, HEADER_MISMATCH, wrong, id);
  const own = `front-${count++}`;
  const given = meta.progressToken, token = given === undefined ? undefined : own;
  const frame = (of) => res.write(`event: message\ndata: ${JSON.stringify(of)}\n\n`);
  const request = {
    id, given, token, logs: meta[`${META}logLevel`] !== undefined,
    beside(of) {
      if (!res.headersSent) res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      frame(of);
    },
    answer(of) {
      if (Array.isArray(of.result?.tools)) note(of.result.tools);
      if (res.headersSent) { frame(of); return res.end(); }
      const status = of.error ? STATUS[of.error.code] ?? 200 : 200;
      return res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(of));
    },
  };
  running.set(own, request);
  if (token !== undefined) tokens.set(token, request);
  // The end of the stream is the cancel of this revision.
  res.on('close', () => {
    if (running.delete(own)) stateless().write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: own } });
    tokens.delete(token);
  });
  stateless().write({ ...message, id: own, params: { ...params, _meta: { ...meta, ...(token === undefined ? {} : { progressToken: token }) } } });
}

// ---- both ------------------------------------------------------------------
const local = (value) => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(value ?? '');

http.createServer(async (req, res) => {
  try {
    // DNS rebinding: a page of somebody else reaches loopback under its own name.
    const origin = req.headers.origin;
    if (!local(req.headers.host) || (origin !== undefined && !local(origin.replace(/^https?:\/\//, '')))) return res.writeHead(403).end();
    let text = '';
    for await (const chunk of req) text += chunk;
    let body;
    if (text) try { body = JSON.parse(text); } catch { return refuse(res, -32700, 'no JSON'); }
    const id = req.headers['mcp-session-id'];
    const isModern = body?.params?._meta?.[`${META}protocolVersion`] !== undefined || req.headers['mcp-protocol-version'] >= '2026' || body?.method === 'server/discover';
    if (req.method === 'POST' && id === undefined && isModern) return await modern(req, res, body);
    if (id !== undefined && !sessions.has(id)) return res.writeHead(404).end();
    if (id === undefined && req.method !== 'POST') return res.writeHead(405).end();
    const transport = sessions.get(id) ?? (await session());
    await transport.handleRequest(req, res, body);
  } catch (error) {
    stderr.write(`${error.stack}\n`);
    if (!res.headersSent) res.writeHead(500).end();
  }
}).listen(Number(port), '127.0.0.1');

process.on('SIGTERM', () => {
  for (const child of children) child.stdin.end();
  setTimeout(() => process.exit(0), 500);
});
