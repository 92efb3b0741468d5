/** A report for a bug tracker: what runs where, and never a token or code. */

import * as os from 'node:os';
import * as vscode from 'vscode';
import type { Status } from './presentation';
import type { Server } from './server';
import type { Settings } from './settings';

export async function diagnostics(
  extensionVersion: string,
  server: Server,
  settings: Settings,
  shown: Status,
): Promise<string> {
  const status = (await server.status()) ?? shown;
  const configured = await settings.forServer();
  const lines = [
    `extension: ${extensionVersion}`,
    `editor: ${vscode.env.appName} ${vscode.version}${vscode.env.remoteName ? ` (${vscode.env.remoteName})` : ''}`,
    `system: ${os.platform()} ${os.release()} ${os.arch()}`,
    `server: ${server.description}`,
    `token: ${(await settings.hasToken()) ? 'set' : 'not set'}`,
    `settings: ${JSON.stringify(configured, withoutToken)}`,
    `status: ${JSON.stringify(status)}`,
  ];
  return lines.join('\n');
}

function withoutToken(name: string, value: unknown): unknown {
  return name === 'token' ? undefined : value;
}
