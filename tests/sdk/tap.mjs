// Stands between a client and a stdio server, and keeps each line: {"t": ms, "dir": "in" | "out", "line": …} for what goes into
// the server and what comes out of it; "start" and "end" with the signal that ended it.
// usage: tap.mjs LOG COMMAND [ARG…]
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

const [log, command, ...args] = process.argv.slice(2);
const began = Date.now();
const note = (entry) => appendFileSync(log, `${JSON.stringify({ t: Date.now() - began, ...entry })}\n`);
note({ dir: 'start', env: Object.keys(process.env).sort() });
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const pass = (from, to, dir) => {
  let rest = '';
  from.on('data', (chunk) => {
    to.write(chunk);
    rest += chunk.toString('utf8');
    const lines = rest.split('\n');
    rest = lines.pop();
    for (const line of lines) note({ dir, line });
  });
  from.on('end', () => { note({ dir: `${dir} closed` }); to.end(); });
};
pass(process.stdin, child.stdin, 'in');
pass(child.stdout, process.stdout, 'out');
child.stdin.on('error', () => {});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { note({ dir: 'signal', signal }); child.kill(signal); });
child.on('exit', (code, signal) => { note({ dir: 'end', code, signal }); process.exit(code ?? 1); });
