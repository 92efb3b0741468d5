/** What a click on the status item offers: first what helps. */

import * as vscode from 'vscode';
import { figures, model, present, remark, type Status } from './presentation';
import { remediesFor } from './remedies';
import type { Settings } from './settings';

interface Entry extends vscode.QuickPickItem {
  command: string;
}

export async function showMenu(status: Status, settings: Settings): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const off = settings.languageOff(language);
  const { label } = present(status, vscode.l10n.t, off);
  const where = model(status, vscode.l10n.t) || ('backendUrl' in status && status.backendUrl);
  const known = [remark(status), ...figures(status, vscode.l10n.t)].filter(Boolean);
  const picked = await vscode.window.showQuickPick(entries(status, settings, language), {
    title: [`CATO: ${label}`, where].filter(Boolean).join(' · '),
    placeHolder: known.join(' · ') || vscode.l10n.t('No suggestions yet'),
  });
  if (picked) await vscode.commands.executeCommand(picked.command);
}

/** All entries; those that help in this state first. */
function entries(status: Status, settings: Settings, language: string | undefined): Entry[] {
  const off = settings.languageOff(language) === undefined ? [] : ['cato.toggleLanguage'];
  const first = [...remediesFor(status.state), ...off];
  const all = [...switches(settings, language), ...others(status)];
  const helping = first.flatMap((command) => all.filter((each) => each.command === command));
  return [...helping, ...all.filter((each) => !first.includes(each.command))];
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

function others(status: Status): Entry[] {
  const advice = 'modelAdvice' in status ? status.modelAdvice : '';
  return [
    { ...entry('link', vscode.l10n.t('Set Backend URL'), 'cato.setBackendUrl'), detail: advice },
    entry('sign-in', vscode.l10n.t('Sign In to Backend'), 'cato.signIn'),
    entry('key', vscode.l10n.t('Set Backend Token'), 'cato.setBackendToken'),
    entry('plug', vscode.l10n.t('Reconnect to Backend'), 'cato.reconnect'),
    entry('refresh', vscode.l10n.t('Restart Language Server'), 'cato.restartServer'),
    entry('cloud-download', vscode.l10n.t('Install Language Server'), 'cato.installServer'),
    entry('folder-opened', vscode.l10n.t('Choose Language Server…'), 'cato.chooseServer'),
    entry('output', vscode.l10n.t('Show Logs'), 'cato.showLogs'),
    entry('clippy', vscode.l10n.t('Copy Diagnostics'), 'cato.copyDiagnostics'),
    entry('settings-gear', vscode.l10n.t('Open Settings'), 'cato.openSettings'),
    entry('book', vscode.l10n.t('Get Started'), 'cato.openWalkthrough'),
  ];
}

function entry(icon: string, label: string, command: string): Entry {
  return { label: `$(${icon}) ${label}`, command };
}
