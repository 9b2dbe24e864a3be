#!/usr/bin/env node
// A real authorization server (oidc-provider) and an MCP server behind it (the official SDK), both on loopback. Prints one
// JSON line {"issuer","mcp","control"} when ready, and ends when its stdin closes.
//
//   node server.mjs --store FILE [--ports AS,MCP,CONTROL] [--flavour oidc|trading|machine]
//
// FILE holds everything that the authorization server knows, signing keys included, so that a restart with the same file
// keeps grants and clients, and one without loses them. Flavours: `oidc` as the provider comes (a refresh token only for
// offline_access with prompt=consent), `trading` as CrossTrade documents itself (scopes mcp:read and mcp:trade, always
// with a refresh token), `machine` for clients without a person.
//
// The control address is the test's: GET /state (tokens, clients, grants), GET /log (what the token endpoints answered, what
// the provider told of itself, how often the resource was called), POST /set {…} (see `ways`), POST /forget {model, id?}.
import http from 'node:http';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const option = (name, otherwise) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? otherwise : process.argv[at + 1]; };
const file = option('store');
const flavour = option('flavour', 'oidc');
const ports = option('ports', '0,0,0').split(',').map(Number);
const from = createRequire(path.join(process.env.OIDC_MODULES ?? process.cwd(), 'package.json'));
const module_ = async (name) => import(pathToFileURL(from.resolve(name)));
const { default: Provider } = await module_('oidc-provider');
const { Server } = await module_('@modelcontextprotocol/sdk/server/index.js');
const { StreamableHTTPServerTransport } = await module_('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { CallToolRequestSchema, ListToolsRequestSchema } = await module_('@modelcontextprotocol/sdk/types.js');
const { generateKeyPair, exportJWK } = await module_('jose');

// ---- what it knows -------------------------------------------------------------------------------------------------

const store = file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { rows: {}, keys: null };
const save = () => {
  if (!file) return;
  writeFileSync(`${file}.new`, JSON.stringify(store));
  renameSync(`${file}.new`, file);
};
if (!store.keys) {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  store.keys = { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig' }] };
  save();
}
const seconds = () => Math.floor(Date.now() / 1000);
class Adapter {
  constructor(model) { this.model = model; this.rows = store.rows[model] ??= {}; }
  async upsert(id, payload, life) { this.rows[id] = { ...payload, until: life ? seconds() + life : undefined }; save(); }
  async find(id) {
    const row = this.rows[id];
    return row && (row.until === undefined || row.until > seconds()) ? { ...row } : undefined;
  }
  async findByUid(uid) { return Object.values(this.rows).find((row) => row.uid === uid); }
  async findByUserCode(code) { return Object.values(this.rows).find((row) => row.userCode === code); }
  async consume(id) { if (this.rows[id]) this.rows[id].consumed = seconds(); save(); }
  async destroy(id) { delete this.rows[id]; save(); }
  async revokeByGrantId(grant) {
    for (const rows of Object.values(store.rows)) for (const [id, row] of Object.entries(rows)) if (row.grantId === grant) delete rows[id];
    save();
  }
}

// How it behaves now; POST /set changes it.
const ways = {
  life: 3600,          // of an access token, in seconds
  slow: 0,             // how long the token endpoint thinks, in ms
  issuer: undefined,   // which issuer the resource names, where another one
  needs: 'mcp:write',  // the scope that the tool `write` asks for
  refuse: false,       // the resource refuses every token
};
const log = [];

// ---- the resource --------------------------------------------------------------------------------------------------

const listening = (server, port) => new Promise((done) => server.listen(port, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`)));
const tools = [
  { name: 'echo', description: 'Says it back', inputSchema: { type: 'object', properties: { text: { type: 'string' } } }, annotations: { readOnlyHint: true } },
  { name: 'write', description: 'Wants more scope', inputSchema: { type: 'object' } },
];
const accounts = { name: 'ListAccounts', description: 'The accounts', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } };
const trade = { name: 'PlaceOrder', description: 'Place an order', inputSchema: { type: 'object' } };

function mcpServer(token) {
  const server = new Server({ name: 'behind-oidc', version: '1' }, { capabilities: { tools: {} } });
  const scopes = (token.scope ?? '').split(' ');
  const seen = flavour === 'trading' ? [accounts, ...(scopes.includes('mcp:trade') ? [trade] : [])] : tools;
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: seen }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    log.push({ what: 'call', tool: params.name, client: token.clientId, scope: token.scope });
    const text = params.name === 'ListAccounts' ? JSON.stringify({ accounts: [{ name: 'Sim101' }] }) : `said ${params.arguments?.text ?? ''}`;
    return { content: [{ type: 'text', text }] };
  });
  return server;
}

const body = async (request) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
};
const json = (response, status, value, headers = {}) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

const resource = http.createServer(async (request, response) => {
  const metadata = `${mcpOrigin}/.well-known/oauth-protected-resource/mcp`;
  if (request.url === '/.well-known/oauth-protected-resource/mcp') {
    const scopes = flavour === 'trading' ? ['mcp:read', 'mcp:trade'] : ['mcp:use'];
    return json(response, 200, { resource: mcp, authorization_servers: [ways.issuer ?? issuer], scopes_supported: scopes });
  }
  if (request.url !== '/mcp') return response.writeHead(404).end();
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const kind = flavour === 'machine' ? provider.ClientCredentials : provider.AccessToken;
  const token = bearer && !ways.refuse ? await kind.find(bearer) : undefined;
  const text = await body(request);
  if (!token || token.aud !== mcp) {
    log.push({ what: '401', with: bearer ? 'token' : 'nothing' });
    return json(response, 401, {}, { 'www-authenticate': `Bearer resource_metadata="${metadata}"` });
  }
  const message = text ? JSON.parse(text) : undefined;
  if (message?.method === 'tools/call' && message.params?.name === 'write' && !(token.scope ?? '').split(' ').includes(ways.needs)) {
    log.push({ what: '403' });
    return json(response, 403, {}, { 'www-authenticate': `Bearer error="insufficient_scope", scope="${ways.needs}", resource_metadata="${metadata}"` });
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  await mcpServer(token).connect(transport);
  await transport.handleRequest(request, response, message);
});
const mcpOrigin = await listening(resource, ports[1]);
const mcp = `${mcpOrigin}/mcp`;

// ---- the authorization server --------------------------------------------------------------------------------------

const front = http.createServer((request, response) => handler(request, response));
let handler = (request, response) => response.writeHead(503).end();
const issuer = await listening(front, ports[0]);
const given = JSON.parse(process.env.OIDC_CLIENTS ?? '[]');
const provider = new Provider(issuer, {
  adapter: Adapter,
  jwks: store.keys,
  clients: given,
  cookies: { keys: ['for tests on loopback'] },
  scopes: flavour === 'trading' ? [] : ['openid', 'offline_access'],
  pkce: { required: () => true },
  ...(flavour === 'trading' ? { issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token') } : {}),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true, allowedPolicy: async (_, client, token) => token.clientId === client.clientId },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => undefined,
      useGrantedResource: async () => true,
      getResourceServerInfo: async () => ({
        scope: flavour === 'trading' ? 'mcp:read mcp:trade' : 'mcp:use mcp:write',
        audience: mcp,
        accessTokenFormat: 'opaque',
        accessTokenTTL: ways.life,
      }),
    },
  },
  clientAuthMethods: JSON.parse(process.env.OIDC_METHODS ?? '["none","client_secret_basic","client_secret_post","private_key_jwt"]'),
});
for (const event of ['grant.success', 'grant.revoked', 'registration_create.success', 'authorization.accepted']) {
  provider.on(event, (ctx) => log.push({ what: event, grant: ctx?.oidc?.params?.grant_type, client: ctx?.oidc?.client?.clientId }));
}
provider.on('grant.error', (ctx, error) => log.push({ what: 'grant.error', grant: ctx?.oidc?.params?.grant_type, error: error.error }));
provider.use(async (ctx, next) => {
  if (ctx.path === '/token' && ways.slow) await new Promise((done) => setTimeout(done, ways.slow));
  await next();
  if (ctx.method === 'POST' || ctx.path === '/auth') {
    const { client_id, scope, prompt, resource: asked, token_type_hint, grant_type } = ctx.oidc?.params ?? {};
    log.push({ what: `${ctx.method} ${ctx.path}`, status: ctx.status, client_id, scope, prompt, resource: asked, token_type_hint, grant_type });
  }
});
handler = provider.callback();

// ---- the test's own door -------------------------------------------------------------------------------------------

const control = http.createServer(async (request, response) => {
  const said = request.method === 'POST' ? JSON.parse((await body(request)) || '{}') : {};
  if (request.url === '/state') {
    const live = (model) => Object.entries(store.rows[model] ?? {}).filter(([, row]) => row.until === undefined || row.until > seconds())
      .map(([id, { clientId, client_id, grantId, scope, consumed, resource: aud, ...more }]) => ({ id, clientId: clientId ?? client_id, grantId, scope, consumed, aud: more.aud ?? aud,
        ...(model === 'Client' ? { metadata: more } : {}) }));
    return json(response, 200, Object.fromEntries(['AccessToken', 'RefreshToken', 'Client', 'Grant', 'ClientCredentials'].map((model) => [model, live(model)])));
  }
  if (request.url === '/log') return json(response, 200, log);
  if (request.url === '/set') { Object.assign(ways, said); return json(response, 200, ways); }
  if (request.url === '/forget') {
    const rows = store.rows[said.model] ?? {};
    for (const id of said.id ? [said.id] : Object.keys(rows)) delete rows[id];
    save();
    return json(response, 200, {});
  }
  response.writeHead(404).end();
});
const door = await listening(control, ports[2]);
process.stdin.resume().on('end', () => process.exit(0));
console.log(JSON.stringify({ issuer, mcp, control: door }));
