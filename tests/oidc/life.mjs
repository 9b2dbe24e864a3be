#!/usr/bin/env node
// A whole OAuth life of the running program (plain profile, and CrossTrade's two grants) against a real authorization
// server. Each scene has an installation of its own; what it asserts is mostly what the provider's own records say.
//
//   BINARY=… OIDC_MODULES=… node life.mjs [NAME…]
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Home, Service, must, until } from './bench.mjs';

const scenes = {};
const same = (seen, wanted, what) => must(JSON.stringify(seen) === JSON.stringify(wanted), `${what}: wanted ${JSON.stringify(wanted)}, seen`, seen);
const live = async (service) => { const { AccessToken, RefreshToken } = await service.state(); return [AccessToken.length, RefreshToken.filter((row) => !row.consumed).length]; };
const refreshes = (service) => service.times({ what: 'POST /token', grant_type: 'refresh_token' });
const signedIn = async (home, words) => { const client = await home.serve(words); await client.works('the first call signs in'); return client; };

scenes['registration, consent, a call, and nothing asked twice'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  const { AccessToken: [access], RefreshToken: [refresh], Client: [registered] } = await service.state();
  must(refresh, 'a refresh token was given: offline_access was asked for with prompt=consent');
  same([access.aud, access.scope], [service.mcp, 'mcp:use'], 'the access token is for the resource');
  const { application_type, token_endpoint_auth_method, client_name, redirect_uris } = registered.metadata;
  same([application_type, token_endpoint_auth_method], ['native', 'none'], 'the registration');
  must(/^Countersign – /.test(client_name) && redirect_uris.every((uri) => /^http:\/\/127\.0\.0\.1:\d+\/callback$/.test(uri)), 'the registration', registered);
  await Promise.all([...Array(8).keys()].map((n) => client.works('many at once', `n${n}`)));
  same([home.opened().length, await service.times({ what: 'POST /reg' }), await refreshes(service)], [1, 1, 0], 'one window, one registration, no refresh');
  must(home.ended()[0].text.includes('Access granted') && !home.ended()[0].text.includes('countersign login'), 'the last page', home.ended());
  await client.end();
  const again = await home.serve();
  await again.works('restart of the program');
  same([home.opened().length, await refreshes(service)], [1, 0], 'a restart needs neither window nor refresh');
  await again.end();
};

scenes['expiry, early and late, with rotation'] = async (service) => {
  const home = new Home(service);
  await service.set({ life: 4 });
  const client = await signedIn(home);
  const before = (await service.state()).RefreshToken[0].id;
  await until('the token runs out at the provider', async () => (await service.state()).AccessToken.length === 0);
  const unauthorized = await service.times({ what: '401', with: 'token' });
  await service.set({ life: 3600 });
  await client.works('after the token ran out');
  same([await refreshes(service), await service.times({ what: '401', with: 'token' }) - unauthorized], [1, 0], 'one refresh, and no token that ran out was sent');
  const { RefreshToken } = await service.state();
  must(RefreshToken.find((row) => row.id === before)?.consumed && RefreshToken.some((row) => !row.consumed), 'the refresh token was rotated', RefreshToken);
  await service.forget('AccessToken');
  const calls = await service.times({ what: 'call' });
  await client.works('after the service forgot the token');
  same([await refreshes(service), await service.times({ what: 'call' }) - calls], [2, 1], 'one more refresh, and one call');
  await client.end();
  const again = await home.serve();
  await again.works('the rotated token was saved');
  same([home.opened().length, await refreshes(service)], [1, 2], 'no window');
  await again.end();
};

scenes['two processes at once: one refresh'] = async (service) => {
  const home = new Home(service);
  await (await signedIn(home)).end();
  const both = await Promise.all([home.serve(), home.serve()]);
  await Promise.all(both.map((client) => client.works('both have the token')));
  await service.set({ slow: 400 });
  await service.forget('AccessToken');
  await Promise.all(both.flatMap((client) => [client.works('refused together'), client.works('refused together')]));
  same([await refreshes(service), home.opened().length, await service.times({ what: 'grant.error' })], [1, 1, 0], 'one refresh for four calls of two processes, no window');
  await Promise.all(both.map((client) => client.end()));
};

scenes['two processes sign in at once: one window'] = async (service) => {
  const home = new Home(service);
  const both = await Promise.all([home.serve(), home.serve()]);
  await Promise.all(both.map((client) => client.works('both wait for one sign-in')));
  same([home.opened().length, await service.times({ what: 'POST /reg' }), (await service.state()).AccessToken.length], [1, 1, 1], 'one window, one registration, one token');
  await Promise.all(both.map((client) => client.end()));
};

scenes['restart of the provider, everything kept'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  await service.stop();
  const away = await client.call('echo');
  must(away.error?.data?.countersign?.sent === 'no', 'while it is away the call was not sent', away);
  await service.start();
  await client.works('after the restart');
  await service.forget('AccessToken');
  await client.works('and its refresh token still works');
  same([home.opened().length, await refreshes(service)], [1, 1], 'no window');
  await client.end();
};

scenes['restart of the provider, everything lost'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  await service.restart({ lost: true });
  const said = await client.fails('all is lost', 'NOT SENT', 'withdrawn', 'countersign logout --url');
  must(!said.includes('countersign login'), 'login is not for this profile', said);
  await client.fails('and again', 'withdrawn');
  same([home.opened().length, await service.times({ what: 'POST /token' })], [1, 1], 'no window by itself, and the provider was asked once');
  await client.end();
  await recovers(home, service, { registrations: 1 });
};

/** What the words told: sign out, restart, sign in again. */
async function recovers(home, service, { registrations }) {
  const before = [home.opened().length, await service.times({ what: 'POST /reg' })];
  const { code, said } = await home.run('logout');
  must(code === 0, 'logout', said);
  const client = await signedIn(home);
  same([home.opened().length - before[0], await service.times({ what: 'POST /reg' }) - before[1]], [1, registrations], 'one window; registrations');
  await client.end();
}

scenes['an old refresh token is used by somebody else: the chain is gone'] = async (service) => {
  const home = new Home(service);
  await service.set({ life: 3 });
  const client = await signedIn(home);
  const { id, clientId } = (await service.state()).RefreshToken[0];
  await until('the token runs out', async () => (await service.state()).AccessToken.length === 0);
  await service.set({ life: 3600 });
  await client.works('the refresh rotates');
  const thief = await fetch(`${service.issuer}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: id, client_id: clientId }) });
  same([thief.status, (await thief.json()).error, await live(service)], [400, 'invalid_grant', [0, 0]], 'the provider refuses the thief and ends the chain');
  const said = await client.fails('the chain is gone', 'NOT SENT', 'withdrawn', 'revoked or ran out', 'countersign logout --url');
  must(!said.includes('countersign login'), 'login is not for this profile', said);
  const asked = await service.times({ what: 'POST /token' });
  await client.fails('again', 'withdrawn');
  same([home.opened().length, await service.times({ what: 'POST /token' }) - asked], [1, 0], 'no window by itself, and nothing more was asked');
  await client.end();
  await recovers(home, service, { registrations: 0 });
};

scenes['an old vault is put back: its spent token ends the chain, and that is told'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  const file = readdirSync(home.folder, { recursive: true }).find((name) => /vault[^/]*$/.test(name) && !/lock|key/.test(name));
  must(file, 'the vault is found');
  copyFileSync(path.join(home.folder, file), path.join(home.person, 'backup'));
  await service.forget('AccessToken');
  await client.works('the refresh rotates');
  await client.end();
  copyFileSync(path.join(home.person, 'backup'), path.join(home.folder, file));
  const again = await home.serve();
  await again.fails('the old copy', 'NOT SENT', 'withdrawn');
  same([home.opened().length, await live(service)], [1, [0, 0]], 'no window, and the provider has ended the chain');
  await again.end();
  await recovers(home, service, { registrations: 0 });
};

scenes['the person says no'] = async (service) => {
  const home = new Home(service);
  home.mood('refuse');
  const client = await home.serve();
  const said = await client.fails('denied', 'NOT SENT', 'denied on the consent page', 'restart this server in your AI client');
  must(!said.includes('countersign login'), 'login is not for this profile', said);
  await client.fails('a second try', 'denied on the consent page');
  same([home.opened().length, await live(service)], [1, [0, 0]], 'one window; nothing was granted');
  const page = await until('the last page', () => home.ended()[0]);
  must(page.text.includes('denied on the consent page') && !/CrossTrade|countersign login/.test(page.text), 'the last page', page);
  await client.end();
  home.mood('consent');
  await (await signedIn(home)).end();
  same([home.opened().length, await service.times({ what: 'POST /reg' })], [2, 1], 'the registration is used again');
};

scenes['the client is deleted at the provider while signed in'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  await service.forget('Client');
  await service.forget('AccessToken');
  await client.fails('invalid_client', 'NOT SENT', "no longer knows this program's registration", 'countersign logout --url');
  same([home.opened().length, await service.times({ what: 'POST /reg' })], [1, 1], 'no window by itself');
  await client.end();
  await recovers(home, service, { registrations: 1 });
};

scenes['the client is deleted between consent and the exchange of the code'] = async (service) => {
  const home = new Home(service);
  home.mood('away');
  const client = await home.serve();
  const first = client.call('echo');
  const [address] = await until('a window', () => home.opened().length && home.opened());
  // The consent ends at our loopback page, which exchanges the code at once: so the client has to be gone before.
  const id = address.searchParams.get('client_id');
  home.mood('consent');
  await service.set({ slow: 1500 });
  const walk = walked(address);
  await until('the code is given', async () => (await service.times({ what: 'authorization.accepted' })) === 1);
  await service.forget('Client', id);
  await walk;
  await service.set({ slow: 0 });
  must((await first).result, 'it registers anew and signs in, for the same call', await first);
  same([await service.times({ what: 'grant.error', error: 'invalid_client' }), await service.times({ what: 'call' })], [1, 1], 'the exchange was refused once, and the call ran once');
  same([home.opened().length, await service.times({ what: 'POST /reg' })], [2, 2], 'one more window and registration');
  await client.end();
};

/** Another person at the same address: goes through the pages to the end. */
async function walked(address) {
  const other = new Home({});
  const { spawn } = await import('node:child_process');
  const child = spawn(other.env.BROWSER, [address.href], { env: other.env, stdio: 'ignore' });
  await new Promise((done) => child.on('close', done));
  await until('the walk ends', () => other.ended()[0] ?? other.seen().find((line) => line.broke));
}

scenes['signing out revokes both tokens at the provider'] = async (service) => {
  const home = new Home(service);
  await (await signedIn(home)).end();
  same(await live(service), [1, 1], 'both are there');
  const { code, said } = await home.run('logout');
  must(code === 0 && /revoked/.test(said), 'logout', said);
  same(await live(service), [0, 0], 'both are gone at the provider');
  const hints = (await service.lines({ what: 'POST /token/revocation' })).map((line) => [line.token_type_hint, line.status]);
  same(hints, [['refresh_token', 200], ['access_token', 200]], 'the refresh token first');
  const again = await home.run('logout');
  same([again.code, (await service.lines({ what: 'POST /token/revocation' })).length], [0, 2], 'nothing is left to revoke');
};

scenes['more scope: the old ones and the new one, once'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  const answer = await client.call('write');
  must(answer.result, 'the call went through after one step up', answer);
  const [, second] = home.opened();
  same(second.searchParams.get('scope').split(' ').sort(), ['mcp:use', 'mcp:write', 'offline_access'], 'the union of scopes');
  // A scope that it never gives: asked for once, and then told.
  await service.set({ needs: 'mcp:never' });
  for (const _ of [1, 2, 3]) {
    const refused = await client.call('write');
    must(refused.error?.data?.countersign?.sent === 'no' && /mcp:never/.test(refused.error.message), 'what is wanted is told', refused);
  }
  must(home.opened().length <= 3, 'no window after window', home.opened().map(String));
  await client.works('other calls go on');
  await client.end();
};

scenes['a resource that refuses every token opens no window after window'] = async (service) => {
  const home = new Home(service);
  await service.set({ refuse: true });
  const client = await home.serve();
  const said = [];
  for (let n = 0; n < 5; n += 1) said.push(await client.fails('refused always', 'NOT SENT'));
  must(home.opened().length <= 2, 'at most one more window than the first', home.opened().length);
  must(/refuses/.test(said.at(-1)) && !said.at(-1).includes('countersign login`'), 'the last words', said.at(-1));
  await client.end();
};

scenes['the resource moves to another authorization server'] = async (service) => {
  const home = new Home(service);
  const client = await signedIn(home);
  const other = await new Service().start();
  try {
    await service.set({ issuer: other.issuer });
    await service.forget('AccessToken');
    await service.forget('RefreshToken');
    // The tokens of the new one are not known to this resource; what counts is where the sign-in goes.
    const answer = await client.call('echo');
    must(answer.error, 'the new tokens are not good here', answer);
    const [, second] = home.opened();
    must(second?.href.startsWith(`${other.issuer}/auth?`), 'the sign-in goes to the new server', String(second));
    same([await other.times({ what: 'POST /reg' }), await service.times({ what: 'POST /reg' })], [1, 1], 'a registration of its own for each issuer');
    same(await other.times({ what: 'POST /token', grant_type: 'refresh_token' }) - await other.times({ what: 'grant.success', grant: 'refresh_token' }), 0, 'no old refresh token went to the new server');
  } finally { await other.stop(); }
  await client.end();
};

const trading = { words: ['--flavour', 'trading'] };
scenes["CrossTrade's two grants"] = async (service) => {
  const home = new Home(service);
  for (const [verb, words] of [['read', ['login']], ['trade', ['login', '--trade']]]) {
    const { code, said } = await home.run(...words);
    must(code === 0, `login for ${verb}`, said);
  }
  const { AccessToken, RefreshToken, Client } = await service.state();
  same(AccessToken.map((row) => row.scope).sort(), ['mcp:read', 'mcp:trade'], 'two tokens, each with one scope');
  same([RefreshToken.length, new Set(AccessToken.map((row) => row.clientId)).size], [2, 2], 'two registrations');
  must(Client.some((row) => /^Countersign read – /.test(row.metadata.client_name)) && Client.some((row) => /^Countersign trade – /.test(row.metadata.client_name)), 'their names', Client);
  const { code, said } = await home.run('logout');
  must(code === 0, 'logout', said);
  same([await live(service), await service.times({ what: 'POST /token/revocation', status: 200 })], [[0, 0], 4], 'all four are revoked');
};
scenes["CrossTrade's two grants"].service = trading;

// Clients that were registered by hand, with what breaks those that join raw parts in a Basic header.
const odd = 'secret:%+/&=ü'.replace('ü', '~');
const redirect_uris = [47031, 47032, 47033, 47034, 47035].map((port) => `http://127.0.0.1:${port}/callback`);
const byHand = (token_endpoint_auth_method, more) => ({ client_id: `hand ${token_endpoint_auth_method}:%`, redirect_uris, token_endpoint_auth_method, application_type: 'native', ...more });
const person = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] };
const machine = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
const withKeys = async (alg) => {
  const { publicKey, privateKey } = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { jwk: { ...publicKey.export({ format: 'jwk' }), alg, use: 'sig' }, pem: privateKey.export({ format: 'pem', type: 'pkcs8' }) };
};
const keys = { ES256: await withKeys('ES256'), RS256: await withKeys('RS256') };

for (const method of ['none', 'client_secret_basic', 'client_secret_post']) {
  const client = byHand(method, { ...person, ...(method === 'none' ? {} : { client_secret: odd }) });
  const name = `a client registered by hand: ${method}`;
  scenes[name] = async (service) => {
    const home = new Home(service, method === 'none' ? {} : { COUNTERSIGN_CLIENT_SECRET: odd });
    const words = ['--client-id', client.client_id];
    const first = await signedIn(home, words);
    await service.forget('AccessToken');
    await first.works('the refresh shows who it is as well');
    same([await refreshes(service), await service.times({ what: 'POST /reg' }), await service.times({ what: 'grant.error' })], [1, 0, 0], 'one refresh, nothing registered');
    await first.end();
    must(!readdirSync(home.folder, { recursive: true }).some((file) => file.endsWith('.log') && readFileSync(path.join(home.folder, file), 'utf8').includes(odd)), 'no log has the secret');
    const { code, said } = await home.run('logout');
    same([code, await live(service)], [0, [0, 0]], `logout (${said})`);
  };
  // A provider that offers one method only, so that the choice is by its metadata.
  scenes[name].service = { env: { OIDC_CLIENTS: JSON.stringify([client]), OIDC_METHODS: JSON.stringify([method]) } };
}

scenes['a secret goes to no other authorization server than the first'] = async (service) => {
  const home = new Home(service, { COUNTERSIGN_CLIENT_SECRET: odd });
  const words = ['--client-id', byHand('client_secret_post').client_id];
  const client = await signedIn(home, words);
  const other = await new Service([], { OIDC_METHODS: '["client_secret_post"]' }).start();
  try {
    await service.set({ issuer: other.issuer });
    for (const model of ['AccessToken', 'RefreshToken']) await service.forget(model);
    const said = await client.fails('another issuer', 'NOT SENT', 'another sign-in service', 'nothing was sent there', 'countersign logout --url');
    must(!said.includes('login`'), 'login is not for this profile', said);
    same([home.opened().length, await other.times({ what: 'POST /token' }), await other.times({ what: 'GET /auth' })], [1, 0, 0], 'no window, and nothing reached the other server');
    await client.end();
    const again = await home.serve(words);
    await again.fails('nor after a restart', 'another sign-in service');
    await again.end();
  } finally { await other.stop(); }
};
scenes['a secret goes to no other authorization server than the first'].service =
  { env: { OIDC_CLIENTS: JSON.stringify([byHand('client_secret_post', { ...person, client_secret: odd })]), OIDC_METHODS: '["client_secret_post"]' } };

for (const [method, alg] of [['client_secret_basic'], ['client_secret_post'], ['private_key_jwt', 'ES256'], ['private_key_jwt', 'RS256']]) {
  const client = byHand(method, { ...machine, ...(alg ? { jwks: { keys: [keys[alg].jwk] }, token_endpoint_auth_signing_alg: alg } : { client_secret: odd }) });
  const name = `without a person: ${method}${alg ? ` ${alg}` : ''}`;
  scenes[name] = async (service) => {
    const home = new Home(service, alg ? {} : { COUNTERSIGN_CLIENT_SECRET: odd });
    const file = path.join(home.person, 'key.pem');
    if (alg) writeFileSync(file, keys[alg].pem, { mode: 0o600 });
    const words = ['--client-id', client.client_id, ...(alg ? ['--client-key-file', file] : ['--client-credentials'])];
    const program = await home.serve(words);
    await program.works('the first call');
    await Promise.all([1, 2, 3].map(() => program.works('many at once')));
    const { ClientCredentials: [token] } = await service.state();
    same([token.clientId, token.aud, token.scope], [client.client_id, service.mcp, 'mcp:use'], 'the token');
    same([home.seen().length, await service.times({ what: 'POST /token' }), await service.times({ what: 'POST /reg' })], [0, 1, 0], 'no window, one token, no registration');
    await until('a while passes', () => new Promise((done) => setTimeout(() => done(true), 5200)));
    await service.forget('ClientCredentials');
    await program.works('after the token was forgotten');
    same(await service.times({ what: 'grant.success', grant: 'client_credentials' }), 2, 'one more token');
    await service.set({ refuse: true });
    const asked = await service.times({ what: 'POST /token' });
    for (const _ of [1, 2, 3]) await program.fails('refused always', 'NOT SENT', 'refuses the access that it has itself just given');
    must(await service.times({ what: 'POST /token' }) - asked <= 1, 'not a token for each call');
    await program.end();
  };
  scenes[name].service = { words: ['--flavour', 'machine'], env: { OIDC_CLIENTS: JSON.stringify([client]), OIDC_METHODS: JSON.stringify([method]) } };
}

scenes['without a person: a wrong secret, a wrong key, a key for all to read'] = async (service) => {
  const home = new Home(service, { COUNTERSIGN_CLIENT_SECRET: 'wrong' });
  const secret = await home.serve(['--client-id', byHand('client_secret_basic').client_id, '--client-credentials']);
  await secret.fails('a wrong secret', 'NOT SENT', 'does not accept this client id');
  await secret.end();
  const file = path.join(home.person, 'key.pem');
  writeFileSync(file, keys.RS256.pem, { mode: 0o600 });
  const words = ['--client-id', byHand('private_key_jwt').client_id, '--client-key-file', file];
  const wrong = await home.serve(words);
  await wrong.fails('a wrong key', 'NOT SENT', 'does not accept this client id');
  await wrong.end();
  chmodSync(file, 0o644);
  const { code, said } = await home.run('serve', '--profile', 'plain', ...words);
  must(code === 2 && said.includes('other users may read the key') && said.includes('nothing was started'), 'a key for all to read', said);
};
scenes['without a person: a wrong secret, a wrong key, a key for all to read'].service = { words: ['--flavour', 'machine'], env: { OIDC_CLIENTS: JSON.stringify([
  byHand('client_secret_basic', { ...machine, client_secret: odd }),
  byHand('private_key_jwt', { ...machine, jwks: { keys: [keys.ES256.jwk] }, token_endpoint_auth_signing_alg: 'ES256' })]) } };

const wanted = process.argv.slice(2);
const chosen = Object.entries(scenes).filter(([name]) => !wanted.length || wanted.some((word) => name.includes(word)));
let failed = 0;
const began = Date.now();
async function play([name, scene]) {
  const { words = [], env = {} } = scene.service ?? {};
  const service = new Service(words, env);
  const start = Date.now();
  const line = (word) => `${word.padEnd(7)} ${((Date.now() - start) / 1000).toFixed(1).padStart(5)} s  ${name}`;
  try {
    await service.start();
    await scene(service);
    console.log(line('ok'));
  } catch (error) {
    failed += 1;
    console.log(`${line('FAILED')}\n        ${error.message}`);
    if (process.env.SHOW) console.log(JSON.stringify(await service.get('log').catch(() => 'away')));
  }
  await service.stop().catch(() => {});
}
// Mostly they wait for each other's processes to start. More at once would need more than the five ports of a sign-in.
const rest = [...chosen];
await Promise.all([1, 2, 3].map(async () => { while (rest.length) await play(rest.shift()); }));
console.log(`${chosen.length - failed} of ${chosen.length} passed in ${((Date.now() - began) / 1000).toFixed(0)} s`);
process.exit(failed || !chosen.length ? 1 : 0);
