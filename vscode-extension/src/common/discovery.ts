/** The language server beside the backend that this person runs: no editor needed here. */

import { readFile, stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { expandHome, isExecutable } from './lookup';

const SCHEMA = 2;
/** Where `/proc/PID/stat` tells the start of a process, counted from the field after its name. */
const START = 19;

interface Announcement {
  schema: number;
  version: string;
  pid: number;
  started: number | null;
  language_server: string;
}

/** The program that the running backend of `version` names, or undefined. */
export async function besideBackend(
  version: string,
  file: string | undefined = announcementPath(),
): Promise<string | undefined> {
  const found = file === undefined ? undefined : await announced(file);
  if (found?.schema !== SCHEMA || found.version !== version) return undefined;
  if (!(await stillRuns(found))) return undefined;
  const program = found.language_server;
  return typeof program === 'string' && (await isExecutable(program)) ? program : undefined;
}

/** Where a backend announces itself; undefined on systems where none runs. */
function announcementPath(): string | undefined {
  const folder = stateFolder();
  return folder === undefined ? undefined : path.join(folder, 'backend.json');
}

function stateFolder(): string | undefined {
  const { CATO_STATE_DIR, XDG_STATE_HOME } = process.env;
  if (CATO_STATE_DIR) return expandHome(CATO_STATE_DIR);
  if (process.platform !== 'linux') return undefined;
  return path.join(XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state'), 'cato');
}

/** Whether the announced process runs, and its id was not given to another one since. */
async function stillRuns({ pid, started }: Partial<Announcement>): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, parentheses included.
    const fields = status
      .slice(status.lastIndexOf(')') + 1)
      .trim()
      .split(/\s+/);
    return Number(fields[START]) === started;
  } catch {
    return false;
  }
}

/** What the file says, if it belongs to this person alone. */
async function announced(file: string): Promise<Partial<Announcement> | undefined> {
  try {
    const { mode, uid } = await stat(file);
    if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) return undefined;
    return JSON.parse(await readFile(file, 'utf8')) as Partial<Announcement>;
  } catch {
    // No backend runs, or its file is just being replaced: the other places are left.
    return undefined;
  }
}
