/** What a click on the status item offers. */

import * as vscode from 'vscode';
import { figures, present, remark, type Status } from './presentation';
import type { Settings } from './settings';

interface Entry extends vscode.QuickPickItem {
  command?: string;
}

export async function showMenu(status: Status, settings: Settings): Promise<void> {
  const { label } = present(status, vscode.l10n.t);
  const language = vscode.window.activeTextEditor?.document.languageId;
  const entries = [...remedies(status), ...switches(settings, language), ...others()];
  const backend = 'backendUrl' in status ? status.backendUrl : null;
  const known = [remark(status), ...figures(status, vscode.l10n.t)].filter(Boolean);
  const picked = await vscode.window.showQuickPick(entries, {
    title: [`CATO: ${label}`, backend].filter(Boolean).join(' · '),
    placeHolder: known.join(' · ') || vscode.l10n.t('No suggestions yet'),
  });
  if (picked?.command) await vscode.commands.executeCommand(picked.command);
}

function remedies({ state }: Status): Entry[] {
  return state === 'missing' || state === 'failed'
    ? [entry('cloud-download', vscode.l10n.t('Install Language Server'), 'cato.installServer')]
    : [];
}

function switches(settings: Settings, language: string | undefined): Entry[] {
  const pause = settings.paused
    ? entry('debug-start', vscode.l10n.t('Resume Completions'), 'cato.togglePause')
    : entry('debug-pause', vscode.l10n.t('Pause Completions in This Window'), 'cato.togglePause');
  const all = settings.completionsEnabled
    ? entry('circle-slash', vscode.l10n.t('Disable Completions'), 'cato.toggleCompletions')
    : entry('check', vscode.l10n.t('Enable Completions'), 'cato.toggleCompletions');
  return language ? [pause, languageSwitch(settings, language), all] : [pause, all];
}

function languageSwitch(settings: Settings, language: string): Entry {
  return settings.languageEnabled(language)
    ? entry('code', vscode.l10n.t('Disable for {0}', language), 'cato.toggleLanguage')
    : entry('code', vscode.l10n.t('Enable for {0}', language), 'cato.toggleLanguage');
}

function others(): Entry[] {
  return [
    entry('link', vscode.l10n.t('Set Backend URL'), 'cato.setBackendUrl'),
    entry('key', vscode.l10n.t('Set Backend Token'), 'cato.setBackendToken'),
    entry('plug', vscode.l10n.t('Reconnect to Backend'), 'cato.reconnect'),
    entry('refresh', vscode.l10n.t('Restart Language Server'), 'cato.restartServer'),
    entry('output', vscode.l10n.t('Show Logs'), 'cato.showLogs'),
    entry('clippy', vscode.l10n.t('Copy Diagnostics'), 'cato.copyDiagnostics'),
    entry('book', vscode.l10n.t('Get Started'), 'cato.openWalkthrough'),
  ];
}

function entry(icon: string, label: string, command: string): Entry {
  return { label: `$(${icon}) ${label}`, command };
}
