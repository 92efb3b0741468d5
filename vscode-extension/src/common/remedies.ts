/** What helps in each state: the same in the menu and on the buttons of messages. */

import * as vscode from 'vscode';
import type { Status } from './presentation';

const LIKELY: Record<Status['state'], readonly string[]> = {
  starting: [],
  ready: [],
  busy: [],
  paused: ['cato.togglePause'],
  disabled: ['cato.toggleCompletions'],
  unreachable: ['cato.setBackendUrl', 'cato.reconnect', 'cato.showLogs'],
  unauthorized: ['cato.signIn', 'cato.setBackendToken', 'cato.setBackendUrl'],
  missing: ['cato.installServer', 'cato.chooseServer'],
  stopped: ['cato.restartServer', 'cato.showLogs'],
  failed: ['cato.showLogs', 'cato.restartServer', 'cato.installServer', 'cato.chooseServer'],
};

/** The commands that are likely to help in `state`, the likeliest first. */
export function remediesFor(state: Status['state']): readonly string[] {
  return LIKELY[state];
}

/** Shows `message` with a button for each command, and runs what is pressed. */
export async function offer(
  severity: 'warning' | 'error',
  message: string,
  commands: readonly string[],
): Promise<void> {
  const buttons = new Map(commands.map((command) => [button(command), command]));
  const show =
    severity === 'error' ? vscode.window.showErrorMessage : vscode.window.showWarningMessage;
  const pressed = await show(message, ...buttons.keys());
  const command = pressed === undefined ? undefined : buttons.get(pressed);
  if (command) await vscode.commands.executeCommand(command);
}

function button(command: string): string {
  switch (command) {
    case 'cato.signIn':
      return vscode.l10n.t('Sign In');
    case 'cato.setBackendToken':
      return vscode.l10n.t('Set Token');
    case 'cato.setBackendUrl':
      return vscode.l10n.t('Set URL');
    case 'cato.reconnect':
      return vscode.l10n.t('Reconnect');
    case 'cato.installServer':
      return vscode.l10n.t('Install');
    case 'cato.chooseServer':
      return vscode.l10n.t('Choose…');
    case 'cato.restartServer':
      return vscode.l10n.t('Restart');
    case 'cato.copyResult':
      return vscode.l10n.t('Copy');
    case 'cato.openSettings':
      return vscode.l10n.t('Open Settings');
    case 'cato.toggleCompletions':
      return vscode.l10n.t('Enable Completions');
    default:
      return vscode.l10n.t('Show Logs');
  }
}
