/**
 * The language server in an environment of the extension's own: a Python venv in `folder`.
 * No editor is needed here; the caller shows the progress and asks for consent.
 */

import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { findProgram, isExecutable } from './lookup';
import { SetupError } from './setup-error';

const run = promisify(execFile);

const OLDEST_PYTHON = [3, 11] as const;
const PYTHON_NAMES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'];
const PROBE = 'import sys; print(sys.version_info[0], sys.version_info[1])';
const COMPLETE = 'complete';

export interface InstallRequest {
  /** Where all versions live, one folder each. */
  folder: string;
  version: string;
  /** What pip installs: the wheel of this package, as a rule. */
  source: string;
  searchPath: string;
  report: (step: string) => void;
  signal: AbortSignal;
}

/** The program that an earlier `install` of `version` left in `folder`, or undefined. */
export async function installed(folder: string, version: string): Promise<string | undefined> {
  const home = versionFolder(folder, version);
  const complete = (await list(home)).includes(COMPLETE);
  return complete && (await isExecutable(program(home))) ? program(home) : undefined;
}

/** Whether any version was ever installed in `folder`: consent that need not be asked for again. */
export async function everInstalled(folder: string): Promise<boolean> {
  return (await list(folder)).some((name) => name.startsWith('server-'));
}

/** The wheel of `version` in `folder`. Throws SetupError where the package was made without it. */
export async function bundledWheel(folder: string, version: string): Promise<string> {
  const name = (await list(folder)).find((each) => each.startsWith(`cato_lsp-${version}-`));
  if (name !== undefined) return path.join(folder, name);
  throw new SetupError(
    'This package of the extension holds no language server',
    'Build it with "make vsix", or choose a cato-lsp that you have.',
    ['cato.chooseServer'],
  );
}

/** Installs and returns the path of `cato-lsp`. Throws SetupError; leaves nothing half done. */
export async function install(request: InstallRequest): Promise<string> {
  const home = versionFolder(request.folder, request.version);
  request.report('Looking for Python');
  const python = await findPython(request.searchPath);
  await mkdir(request.folder, { recursive: true });
  await rm(home, { recursive: true, force: true });
  try {
    await build(python, home, request);
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
  await removeOthers(request.folder, home, request.report);
  return program(home);
}

async function build(python: string, home: string, request: InstallRequest): Promise<void> {
  request.report('Creating an environment');
  await step([python, '-m', 'venv', home], request.signal, venvRemedy);
  request.report(`Installing ${path.basename(request.source)}`);
  const pip = [pythonOf(home), '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input'];
  await step([...pip, request.source], request.signal, pipRemedy, request.report);
  if (!(await isExecutable(program(home)))) {
    throw new SetupError(`${request.source} brought no cato-lsp`, CHOOSE, ['cato.chooseServer']);
  }
  await writeFile(path.join(home, COMPLETE), request.version);
}

/** The first Python that is new enough. Throws SetupError. */
export async function findPython(searchPath: string): Promise<string> {
  const seen: string[] = [];
  for (const name of PYTHON_NAMES) {
    const candidate = await findProgram(name, searchPath);
    const version = candidate && (await pythonVersion(candidate));
    if (!candidate || !version) continue;
    if (isNewEnough(version)) return candidate;
    seen.push(`${candidate} is ${version.join('.')}`);
  }
  throw new SetupError(
    `Python ${OLDEST_PYTHON.join('.')} or newer was not found${seen.length ? `: ${seen.join(', ')}` : ''}`,
    'Install it (for example: apt install python3 python3-venv), then try again.',
    TRY_AGAIN,
  );
}

async function pythonVersion(python: string): Promise<number[] | undefined> {
  try {
    const { stdout } = await run(python, ['-c', PROBE], { timeout: 10_000 });
    return stdout.trim().split(' ').map(Number);
  } catch {
    // A name on PATH need not be a Python that works (Windows' store alias, a broken pyenv shim).
    return undefined;
  }
}

function isNewEnough([major = 0, minor = 0]: number[]): boolean {
  return major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1]);
}

async function step(
  [file = '', ...args]: string[],
  signal: AbortSignal,
  remedy: (output: string) => string,
  report: (step: string) => void = () => undefined,
): Promise<void> {
  try {
    const running = run(file, args, { signal, maxBuffer: 16 * 1024 * 1024 });
    running.child.stdout?.on('data', (chunk: string) => packagesIn(chunk).forEach(report));
    await running;
  } catch (error) {
    if (signal.aborted) {
      throw new SetupError('The installation was cancelled', RUN_AGAIN, TRY_AGAIN);
    }
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const output = lastLines(`${stdout}\n${stderr}`);
    throw new SetupError(
      `${path.basename(file)} ${args.slice(0, 3).join(' ')} failed: ${output}`,
      remedy(output),
      TRY_AGAIN,
      { cause: error },
    );
  }
}

const RUN_AGAIN = 'Run "CATO: Install Language Server" to try again.';
const CHOOSE = 'Choose a cato-lsp that you have.';
const TRY_AGAIN = ['cato.installServer', 'cato.chooseServer', 'cato.showLogs'];

/** What of pip's output is worth showing while a person waits. */
function packagesIn(output: string): string[] {
  const lines = output.match(/^(?:Collecting|Installing collected) \S+/gm) ?? [];
  return lines.map((line) => line.replace('Installing collected', 'Installing'));
}

function venvRemedy(output: string): string {
  return /ensurepip|python3-venv/.test(output)
    ? `Python has no venv module (for example: apt install python3-venv). ${RUN_AGAIN}`
    : RUN_AGAIN;
}

function pipRemedy(): string {
  return `Check that this machine reaches its Python package index, from which pip takes what cato-lsp needs. ${RUN_AGAIN}`;
}

function lastLines(output: string): string {
  return output.trim().split(/\r?\n/).slice(-4).join(' / ');
}

function versionFolder(folder: string, version: string): string {
  return path.join(folder, `server-${version}`);
}

function pythonOf(home: string): string {
  return process.platform === 'win32'
    ? path.join(home, 'Scripts', 'python.exe')
    : path.join(home, 'bin', 'python');
}

function program(home: string): string {
  return process.platform === 'win32'
    ? path.join(home, 'Scripts', 'cato-lsp.exe')
    : path.join(home, 'bin', 'cato-lsp');
}

async function removeOthers(
  folder: string,
  home: string,
  report: (step: string) => void,
): Promise<void> {
  const others = (await list(folder)).filter((name) => name.startsWith('server-'));
  for (const other of others.map((name) => path.join(folder, name))) {
    if (other === home) continue;
    try {
      await rm(other, { recursive: true });
    } catch (error) {
      // Windows does not delete what another window still runs; the next installation will.
      report(`${other} stays for now: ${String(error)}`);
    }
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
