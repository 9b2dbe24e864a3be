// Imports a package from the folder SDK_NODE, whatever folder this is started from.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const from = createRequire(path.resolve(process.env.SDK_NODE ?? '.', 'x.js'));
export const sdk = (name) => import(pathToFileURL(from.resolve(name)));
