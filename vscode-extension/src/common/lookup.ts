/** Finding a program: no editor needed here. */

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';

/** The path of `name` on the search path `searchPath`, or undefined. */
export async function findProgram(
  name: string,
  searchPath: string,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
  const suffixes = platform === 'win32' ? ['.exe', '.cmd', '.bat'] : [''];
  for (const folder of searchPath.split(path.delimiter).filter(Boolean)) {
    for (const suffix of suffixes) {
      const candidate = path.join(folder, name + suffix);
      if (await isExecutable(candidate)) return candidate;
    }
  }
  return undefined;
}

/** Whether `file` is a file that this user may execute. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** `~/x` as the person means it. */
export function expandHome(file: string): string {
  return file === '~' || file.startsWith('~/') ? path.join(os.homedir(), file.slice(1)) : file;
}

/** Whether `value` names a place (and not just a program to look for on PATH). */
export function isPath(value: string): boolean {
  return value.includes('/') || value.includes('\\');
}
