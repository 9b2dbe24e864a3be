// Where tests/run.sh put the npm packages, and how a script outside that folder imports from it.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/** The folder that holds node_modules: COUNTERSIGN_TEST_NODE_DIR, or where tests/run.sh installs. */
export function nodeFolder() {
  return process.env.COUNTERSIGN_TEST_NODE_DIR || path.resolve(here, '../../target/clients/node');
}

/** An import function that resolves package names as a file inside `folder` would. */
export function loadFrom(folder) {
  const require = createRequire(path.join(folder, 'from-here.js'));
  return (name) => {
    let file;
    try {
      file = require.resolve(name);
    } catch {
      throw new Error(`${name} is not installed in ${folder}: run tests/run.sh --only install`);
    }
    return import(pathToFileURL(file));
  };
}
