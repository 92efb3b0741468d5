/** The commands that the palette and the menu offer. */

import * as vscode from 'vscode';
import { diagnostics } from './diagnostics';
import { showMenu } from './menu';
import type { Results } from './results';
import type { Server } from './server';
import type { Settings } from './settings';
import { signIn } from './sign-in';
import type { StatusItem } from './status';
import type { Tasks } from './tasks';
import { openSample, type Walkthrough } from './walkthrough';

export interface Parts {
  /** The extension's. */
  id: string;
  version: string;
  server: Server;
  settings: Settings;
  item: StatusItem;
  tasks: Tasks;
  results: Results;
  walkthrough: Walkthrough;
  log: vscode.LogOutputChannel;
}

/** Registers all commands; dispose the result to take them back. */
export function registerCommands(parts: Parts): vscode.Disposable {
  const { server, settings, item, tasks, results, walkthrough, log } = parts;
  const handlers: Record<string, (id?: number) => Promise<void> | void> = {
    'cato.summarizeFunction': () => tasks.summarize(),
    'cato.translateFunction': () => tasks.translate(),
    'cato.documentFunction': () => tasks.perform('document'),
    'cato.explainCode': () => tasks.perform('explain'),
    'cato.writeTests': () => tasks.perform('test'),
    'cato.fixProblem': () => tasks.fix(),
    'cato.generateCode': () => tasks.generate(),
    'cato.toggleCompletions': () =>
      settings.update('completion.enabled', !settings.completionsEnabled),
    'cato.togglePause': () => {
      settings.paused = !settings.paused;
    },
    'cato.toggleLanguage': () => toggleLanguage(settings),
    'cato.setBackendUrl': () => setBackendUrl(settings),
    'cato.signIn': () => signIn(server, settings),
    'cato.setBackendToken': () => setBackendToken(settings),
    'cato.reconnect': async () => {
      await server.reconnect();
    },
    'cato.restartServer': () => server.restart(),
    'cato.installServer': () => server.reinstall(),
    'cato.chooseServer': () => server.choose(),
    'cato.openSettings': () => openSettings(parts.id),
    'cato.openSample': () => openSample(),
    'cato.insertDocumentation': (id) => results.insertDocumentation(id),
    'cato.cancelTask': (id) => results.cancel(id),
    'cato.applyResult': (id) => results.apply(id),
    'cato.insertResult': (id) => results.insert(id),
    'cato.replaceWithResult': (id) => results.replace(id),
    'cato.copyResult': (id) => results.copy(id),
    'cato.saveResult': (id) => results.save(id),
    'cato.showLogs': () => log.show(),
    'cato.copyDiagnostics': () => copyDiagnostics(parts),
    'cato.showMenu': () => showMenu(item.status, settings),
    'cato.openWalkthrough': () => walkthrough.open(),
  };
  return vscode.Disposable.from(
    ...Object.entries(handlers).map(([id, run]) => vscode.commands.registerCommand(id, run)),
  );
}

async function toggleLanguage(settings: Settings): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor) await settings.toggleLanguage(editor.document.languageId);
}

async function openSettings(extension: string): Promise<void> {
  await vscode.commands.executeCommand('workbench.action.openSettings', `@ext:${extension}`);
}

async function setBackendUrl(settings: Settings): Promise<void> {
  const url = await vscode.window.showInputBox({
    title: vscode.l10n.t('CATO: backend URL'),
    prompt: vscode.l10n.t('Empty: find or start a backend on this machine.'),
    placeHolder: 'https://gpu.example.org:8700',
    value: settings.backendUrl,
    ignoreFocusOut: true,
    validateInput: (value) => (isBackendUrl(value.trim()) ? undefined : EXPECTED_URL),
  });
  if (url !== undefined) await settings.update('backend.url', url.trim() || undefined);
}

const EXPECTED_URL = vscode.l10n.t('Expected an http:// or https:// address, or nothing.');

function isBackendUrl(value: string): boolean {
  return value === '' || (/^https?:\/\//.test(value) && URL.canParse(value));
}

async function setBackendToken(settings: Settings): Promise<void> {
  const token = await vscode.window.showInputBox({
    title: vscode.l10n.t('CATO: backend token'),
    prompt: vscode.l10n.t(
      'Kept in the editor’s secret storage, for this backend alone. Empty: forget the token.',
    ),
    placeHolder: vscode.l10n.t('token'),
    password: true,
    ignoreFocusOut: true,
  });
  if (token !== undefined) await settings.storeToken(token.trim());
}

async function copyDiagnostics({ version, server, settings, item }: Parts): Promise<void> {
  const report = await diagnostics(version, server, settings, item.status);
  await vscode.env.clipboard.writeText(report);
  const done = vscode.l10n.t('CATO: the diagnostics are in the clipboard.');
  void vscode.window.showInformationMessage(done);
}
