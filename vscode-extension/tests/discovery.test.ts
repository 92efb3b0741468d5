import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
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

async function announce(changes: object = {}, mode = 0o600): Promise<void> {
  const known = { schema: 1, version: '1.2.3', language_server: program };
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
    { schema: 2 },
    { language_server: null },
    { language_server: `${program}.gone` },
  ]) {
    await announce(changes);
    assert.equal(await besideBackend('1.2.3', file), undefined, JSON.stringify(changes));
  }
  await writeFile(file, '{');
  assert.equal(await besideBackend('1.2.3', file), undefined);
});

test('a file that others can read is not believed', async () => {
  await announce({}, 0o644);
  assert.equal(await besideBackend('1.2.3', file), undefined);
});
