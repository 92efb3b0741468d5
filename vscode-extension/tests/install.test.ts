import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  bundledWheel,
  everInstalled,
  findPython,
  type InstallRequest,
  install,
  installed,
} from '../src/common/install';
import { SetupError } from '../src/common/setup-error';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'cato-install-'));
  await mkdir(path.join(root, 'bin'));
});
afterEach(() => rm(root, { recursive: true }));

async function program(name: string, script: string): Promise<string> {
  const file = path.join(root, 'bin', name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

/** A Python that can say its version, and make an environment whose pip runs `pip`. */
function python(version: string, pip: string): string {
  return `
if [ "$1" = -c ]; then echo '${version}'; exit; fi
mkdir -p "$3/bin"
cat > "$3/bin/python" <<'END'
#!/bin/sh
home=$(dirname "$0")
${pip}
END
chmod +x "$3/bin/python"`;
}

const GOOD_PIP = `printf '#!/bin/sh\\n' > "$home/cato-lsp"; chmod +x "$home/cato-lsp"`;

function request(overrides: Partial<InstallRequest> = {}): InstallRequest {
  return {
    folder: path.join(root, 'storage'),
    version: '1.2.3',
    source: 'cato-lsp==1.2.3',
    searchPath: `${path.join(root, 'bin')}${path.delimiter}/usr/bin${path.delimiter}/bin`,
    report: () => undefined,
    signal: new AbortController().signal,
    ...overrides,
  };
}

async function failure(promise: Promise<unknown>): Promise<SetupError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SetupError, String(error));
  return error;
}

test('installs, is found again, and replaces an older version', async () => {
  await program('python3', python('3 12', GOOD_PIP));
  await install(request({ version: '1.0.0' }));
  const server = await install(request());
  assert.equal(await installed(request().folder, '1.2.3'), server);
  assert.equal(await installed(request().folder, '1.0.0'), undefined);
  assert.deepEqual(await readdir(request().folder), ['server-1.2.3']);
});

test('an old Python is passed over for a newer one', async () => {
  await program('python3', python('3 9', GOOD_PIP));
  const newer = await program('python3.12', python('3 12', GOOD_PIP));
  assert.equal(await findPython(path.join(root, 'bin')), newer);
});

test('without a Python that is new enough, the error says which was seen and what to do', async () => {
  const old = await program('python3', python('3 9', GOOD_PIP));
  const error = await failure(install(request({ searchPath: path.join(root, 'bin') })));
  assert.match(error.message, new RegExp(`${old} is 3.9`));
  assert.match(error.remedy, /apt install python3/);
});

test('a Python without venv names the missing package', async () => {
  const script = `if [ "$1" = -c ]; then echo '3 12'; exit; fi; echo 'ensurepip is not available' >&2; exit 1`;
  await program('python3', script);
  assert.match((await failure(install(request()))).remedy, /python3-venv/);
});

test('a failed pip leaves nothing that looks installed', async () => {
  await program(
    'python3',
    python('3 12', 'echo "ERROR: No matching distribution found" >&2; exit 1'),
  );
  const error = await failure(install(request()));
  assert.match(error.message, /No matching distribution/);
  assert.match(error.remedy, /package index/);
  assert.deepEqual(error.commands.slice(0, 2), ['cato.installServer', 'cato.chooseServer']);
  assert.equal(await installed(request().folder, '1.2.3'), undefined);
  assert.equal(await everInstalled(request().folder), false);
});

test('a cancelled installation ends its process and leaves nothing', async () => {
  await program('python3', python('3 12', 'exec sleep 60'));
  const abort = new AbortController();
  const report = (step: string) => {
    if (step.startsWith('Installing')) setImmediate(() => abort.abort());
  };
  const error = await failure(install(request({ report, signal: abort.signal })));
  assert.match(error.message, /cancelled/);
  assert.deepEqual(await readdir(request().folder), []);
});

test('the wheel of its own version is taken, and its absence is named', async () => {
  const folder = path.join(root, 'server');
  const error = await failure(bundledWheel(folder, '1.2.3'));
  assert.match(error.remedy, /make vsix/);
  assert.deepEqual(error.commands, ['cato.chooseServer']);
  await mkdir(folder);
  await writeFile(path.join(folder, 'cato_lsp-1.2.2-py3-none-any.whl'), '');
  await failure(bundledWheel(folder, '1.2.3'));
  const wheel = path.join(folder, 'cato_lsp-1.2.3-py3-none-any.whl');
  await writeFile(wheel, '');
  assert.equal(await bundledWheel(folder, '1.2.3'), wheel);
});

test('what pip is doing is shown', async () => {
  const pip = `echo 'Collecting aiohttp>=3.13'; echo 'Installing collected packages: a'; ${GOOD_PIP}`;
  await program('python3', python('3 12', pip));
  const steps: string[] = [];
  await install(request({ report: (step) => steps.push(step) }));
  assert.ok(steps.includes('Collecting aiohttp>=3.13'), steps.join());
});
