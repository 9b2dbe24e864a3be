// Compares two runs of the suite's server scenarios, check by check. usage: compare.mjs RESULTS SPEC
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const [results, spec] = process.argv.slice(2);
function checks(folder) {
  const found = new Map();
  const walk = (at) => {
    for (const entry of existsSync(at) ? readdirSync(at, { withFileTypes: true }) : []) {
      const to = path.join(at, entry.name);
      if (entry.isDirectory()) walk(to);
      else if (entry.name === 'checks.json') {
        const scenario = path.relative(folder, at).replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
        for (const check of JSON.parse(readFileSync(to, 'utf8'))) {
          const key = `${scenario}: ${check.id}`;
          // One id may be checked several times: the worst counts.
          const rank = ['SUCCESS', 'INFO', 'SKIPPED', 'WARNING', 'FAILURE'];
          const worst = found.get(key);
          if (!worst || rank.indexOf(check.status) > rank.indexOf(worst.status)) found.set(key, check);
        }
      }
    }
  };
  walk(folder);
  return found;
}
const control = checks(path.join(results, `${spec}-control`)), program = checks(path.join(results, `${spec}-program`));
const count = (of) => [...of.values()].filter((check) => check.status === 'SUCCESS').length;
const judged = (of) => [...of.values()].filter((check) => ['SUCCESS', 'FAILURE'].includes(check.status)).length;
console.log(`${spec}: control ${count(control)} of ${judged(control)}, through the program ${count(program)} of ${judged(program)}`);
const worse = [...control].filter(([key, check]) => check.status === 'SUCCESS' && program.get(key)?.status !== 'SUCCESS');
for (const [key] of worse) console.log(`  worse: ${key}: ${program.get(key)?.status ?? 'not checked'} ${(program.get(key)?.errorMessage ?? '').slice(0, 300)}`);
for (const [key, check] of control) if (check.status === 'FAILURE') console.log(`  fails in the control: ${key}${program.get(key)?.status === 'SUCCESS' ? ' (and passes here)' : ''}`);
if (judged(control) === 0) console.log('  nothing was checked');
process.exit(worse.length || judged(control) === 0 ? 1 : 0);
