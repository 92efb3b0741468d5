import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { besideBackend } from '../src/common/discovery';

let root: string;
let file: string;
let program: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cato-discovery-'));
  file = path.join(root, 'backend.json');
  program = path.join(root, 'cato-lsp');
  await writeFile(program, '#!/bin/sh\n');
  await chmod(program, 0o755);
});
afterEach(() => rm(root, { recursive: true }));

async function startOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[19]);
}

async function announce(changes: object = {}, mode = 0o600): Promise<void> {
  const started = await startOf(process.pid);
  const own = { pid: process.pid, started };
  const known = { schema: 2, version: '1.2.3', language_server: program, ...own };
  await writeFile(file, JSON.stringify({ ...known, ...changes }));
  await chmod(file, mode);
}

test('the program that a running backend names is taken', async () => {
  await announce();
  assert.equal(await besideBackend('1.2.3', file), program);
});

test('another version, another schema, a missing program and no file are none', async () => {
  assert.equal(await besideBackend('1.2.3', file), undefined);
  for (const changes of [
    { version: '1.2.4' },
    { schema: 1 },
    { language_server: null },
    { language_server: `${program}.gone` },
  ]) {
    await announce(changes);
    assert.equal(await besideBackend('1.2.3', file), undefined, JSON.stringify(changes));
  }
  await writeFile(file, '{');
  assert.equal(await besideBackend('1.2.3', file), undefined);
});

test('a process that has ended, or another one with its id, is none', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  for (const changes of [{ pid: child.pid }, { started: 1 }, { started: null }, { pid: 'x' }]) {
    await announce(changes);
    assert.equal(await besideBackend('1.2.3', file), undefined, JSON.stringify(changes));
  }
});

test('a file that others can read is not believed', async () => {
  await announce({}, 0o644);
  assert.equal(await besideBackend('1.2.3', file), undefined);
});
