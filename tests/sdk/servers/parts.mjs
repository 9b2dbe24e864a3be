// What the two TypeScript servers share: the catalogue, and every answer that needs nothing of an SDK.
import { readFileSync } from 'node:fs';

export const catalog = JSON.parse(readFileSync(new URL('../catalog.json', import.meta.url), 'utf8'));
export const info = (name) => ({ name, version: '1.0.0', title: 'A server of the tests' });
export const instructions = 'Only for tests.';
export const capabilities = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};
export const text = (value) => ({ content: [{ type: 'text', text: value }] });
export const question = { type: 'object', properties: { name: { type: 'string', title: 'A name', default: 'x' }, size: { type: 'integer' } }, required: ['name'] };
export const sampling = (prompt) => ({ messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens: 7 });
export const said = (result) => text(JSON.stringify(result));

// The TypeScript SDK forgets who waits for progress as soon as it reads the answer: progress that comes in the same read as the
// answer is lost in it, on whatever way. So steps take their time, here and in parts.py.
const pause = () => new Promise((resolve) => setTimeout(resolve, 200));

const waits = new Map();
const wait = (key) => waits.get(key) ?? waits.set(key, { begun: 0, cancelled: 0 }).get(key);

// Tools that ask nobody. `signal` fires when the call is cancelled, `notify` sends beside its answer.
export async function simple(name, args, { signal, notify, progressToken, log, touch, grow }) {
  switch (name) {
    case 'echo': return text(`Echo: ${args.text}`);
    case 'structured': {
      const structuredContent = { price: 5312.25, symbol: 'ES', levels: [1, 2] };
      return { ...said(structuredContent), structuredContent, _meta: { 'example.test/kept': 1 } };
    }
    case 'picture': return {
      content: [
        { type: 'image', data: catalog.image, mimeType: 'image/png', annotations: { audience: ['user'], priority: 0.25 } },
        { type: 'audio', data: catalog.sound, mimeType: 'audio/wav' },
        { type: 'resource_link', uri: 'test://text', name: 'text' },
        { type: 'resource', resource: { uri: 'test://text', mimeType: 'text/plain', text: 'some text' } },
      ],
    };
    case 'fail': return { ...text('It failed as asked.'), isError: true };
    case 'steps':
      for (let step = 1; step <= args.count && progressToken !== undefined; step++) {
        await notify({ method: 'notifications/progress', params: { progressToken, progress: step, total: args.count, message: `step ${step}` } });
        await pause();
      }
      return text(`${args.count} steps`);
    case 'wait': {
      const known = wait(args.key);
      known.begun++;
      await new Promise((done) => {
        const late = setTimeout(done, 20000);
        signal.addEventListener('abort', () => { clearTimeout(late); known.cancelled++; done(); });
      });
      return text('waited');
    }
    case 'cancelled': return said(wait(args.key));
    case 'log':
      await log('debug', 'a small thing');
      await log('warning', { what: 'a big thing', at: 1.5 });
      return text('logged');
    case 'touch': await touch(args.uri); return text('touched');
    case 'grow': await grow(); return text('grown');
    default: return undefined;
  }
}

export function resources(cursor) {
  const page = cursor === undefined ? 0 : Number(cursor);
  const next = page + 1 < catalog.resourcePages.length ? { nextCursor: String(page + 1) } : {};
  return { resources: catalog.resourcePages[page] ?? [], ...next };
}

export function resource(uri) {
  const item = /^test:\/\/item\/(\w+)$/.exec(uri);
  if (uri === 'test://text') return { contents: [{ uri, mimeType: 'text/plain', text: 'some text' }] };
  if (uri === 'test://blob') return { contents: [{ uri, mimeType: 'application/octet-stream', blob: catalog.blob }] };
  if (item) return { contents: [{ uri, mimeType: 'text/plain', text: `item ${item[1]}` }] };
  return undefined;
}

export const prompt = (name, args) => ({
  description: `prompt ${name}`,
  messages: [{ role: 'user', content: { type: 'text', text: name === 'about' ? `Tell me about ${args?.symbol}.` : 'Hello.' } }],
});

export function completion(argument) {
  const values = catalog.symbols.filter((symbol) => symbol.startsWith(argument.value));
  return { completion: { values, total: values.length, hasMore: false } };
}
