/** The language server beside the backend that this person runs: no editor needed here. */

import { readFile, stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { expandHome, isExecutable } from './lookup';

const SCHEMA = 1;

interface Announcement {
  schema: number;
  version: string;
  language_server: string;
}

/** The program that the running backend of `version` names, or undefined. */
export async function besideBackend(
  version: string,
  file: string | undefined = announcementPath(),
): Promise<string | undefined> {
  const found = file === undefined ? undefined : await announced(file);
  if (found?.schema !== SCHEMA || found.version !== version) return undefined;
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
