#!/usr/bin/env node
// Starts the program that npm installed for this system, and gets out of its way: it has our stdin, stdout and stderr
// themselves, so not a byte of the protocol passes through here. Nothing is downloaded, at no time.
'use strict';

const { spawn } = require('node:child_process');
const { constants } = require('node:os');

const PACKAGES = require('./packages.json');

// musl and glibc are two builds: Node tells which one it runs on itself.
function libc() {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport();
  return header.glibcVersionRuntime ? ' gnu' : ' musl';
}

function program() {
  const system = `${process.platform} ${process.arch}${libc()}`;
  const entry = PACKAGES[system];
  if (!entry) {
    throw new Error(`there is no build for ${system}; there is one for: ${Object.keys(PACKAGES).join(', ')}`);
  }
  try {
    return require.resolve(`${entry.package}/${entry.file}`);
  } catch {
    throw new Error(`${entry.package} is not installed: install again without --no-optional or --omit=optional`);
  }
}

function main() {
  let file;
  try {
    file = program();
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 1;
    return;
  }
  const child = spawn(file, process.argv.slice(2), { stdio: 'inherit', windowsHide: false });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const passOn = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, passOn);
  child.on('error', (error) => {
    process.stderr.write(`error: ${file} cannot be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    for (const one of signals) process.removeListener(one, passOn);
    // Whoever started us learns how the program ended.
    process.exitCode = signal ? 128 + (constants.signals[signal] || 0) : code;
  });
}

main();
