/** What a click on the status item offers. */

import * as vscode from 'vscode';
import { details, present, type Status } from './presentation';

interface Entry extends vscode.QuickPickItem {
  command?: string;
}

export async function showMenu(status: Status, completionsEnabled: boolean): Promise<void> {
  const { label } = present(status);
  const picked = await vscode.window.showQuickPick(entries(status, completionsEnabled), {
    title: `CATO: ${label}`,
    placeHolder: details(status).join(' · '),
  });
  if (picked?.command) await vscode.commands.executeCommand(picked.command);
}

function entries(status: Status, completionsEnabled: boolean): Entry[] {
  const toggle = completionsEnabled
    ? entry('circle-slash', vscode.l10n.t('Disable Completions'), 'cato.toggleCompletions')
    : entry('check', vscode.l10n.t('Enable Completions'), 'cato.toggleCompletions');
  const remedy =
    status.state === 'missing' || status.state === 'failed'
      ? [entry('cloud-download', vscode.l10n.t('Install Language Server'), 'cato.installServer')]
      : [];
  return [
    ...remedy,
    toggle,
    entry('link', vscode.l10n.t('Set Backend URL'), 'cato.setBackendUrl'),
    entry('key', vscode.l10n.t('Set Backend Token'), 'cato.setBackendToken'),
    entry('plug', vscode.l10n.t('Reconnect to Backend'), 'cato.reconnect'),
    entry('refresh', vscode.l10n.t('Restart Language Server'), 'cato.restartServer'),
    entry('output', vscode.l10n.t('Show Logs'), 'cato.showLogs'),
    entry('clippy', vscode.l10n.t('Copy Diagnostics'), 'cato.copyDiagnostics'),
  ];
}

function entry(icon: string, label: string, command: string): Entry {
  return { label: `$(${icon}) ${label}`, command };
}
