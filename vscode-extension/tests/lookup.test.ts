import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { expandHome, findProgram } from '../src/common/lookup';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cato-lookup-'));
});
afterEach(() => rm(root, { recursive: true }));

test('the first executable file on the search path is found', async () => {
  for (const name of ['folder', 'data', 'program', 'late']) await mkdir(path.join(root, name));
  await mkdir(path.join(root, 'folder', 'cato-lsp'));
  await writeFile(path.join(root, 'data', 'cato-lsp'), '');
  await chmod(path.join(root, 'data', 'cato-lsp'), 0o644);
  for (const name of ['program', 'late']) {
    await writeFile(path.join(root, name, 'cato-lsp'), '');
    await chmod(path.join(root, name, 'cato-lsp'), 0o755);
  }
  const search = ['absent', 'folder', 'data', 'program', 'late'].map((name) =>
    path.join(root, name),
  );
  const found = await findProgram('cato-lsp', search.join(path.delimiter));
  assert.equal(found, path.join(root, 'program', 'cato-lsp'));
});

test('on Windows a program has a suffix', async () => {
  await writeFile(path.join(root, 'cato-lsp.exe'), '');
  await chmod(path.join(root, 'cato-lsp.exe'), 0o755);
  assert.equal(await findProgram('cato-lsp', root, 'win32'), path.join(root, 'cato-lsp.exe'));
});

test('a tilde is the home folder', () => {
  assert.equal(expandHome('~/bin/cato-lsp'), path.join(os.homedir(), 'bin/cato-lsp'));
  assert.equal(expandHome('/opt/~/x'), '/opt/~/x');
});
