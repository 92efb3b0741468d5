/** The extension's life: what VS Code calls when it starts and ends. */

import * as vscode from 'vscode';
import { registerCommands } from './common/commands';
import { followFocus } from './common/focus';
import { Locator } from './common/locate';
import { manifestOf } from './common/manifest';
import { Results } from './common/results';
import { Server } from './common/server';
import { SECTION, Settings } from './common/settings';
import { StatusItem } from './common/status';
import { followSuggestions } from './common/suggestions';
import { Tasks } from './common/tasks';
import { Walkthrough } from './common/walkthrough';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('CATO', { log: true });
  const settings = Settings.of(context);
  const item = new StatusItem('cato.showMenu', settings);
  const results = new Results();
  const { id } = context.extension;
  const walkthrough = new Walkthrough(id);
  server = new Server(new Locator(context, settings, log), settings, item, walkthrough, log);
  const tasks = new Tasks(server, results, item, walkthrough, context.globalState, log);
  const { version } = manifestOf(context);
  context.subscriptions.push(
    log,
    item,
    results,
    registerCommands({ id, version, server, settings, item, tasks, results, walkthrough, log }),
    followSettings(server, settings),
    followFocus(server),
    followSuggestions(server),
  );
  // Not awaited: VS Code should not wait for a server that may first have to be installed.
  void server.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** A changed path needs another process; everything else, the running server is told. */
function followSettings(running: Server, settings: Settings): vscode.Disposable {
  return vscode.Disposable.from(
    settings.onDidChange(() => void running.pushSettings()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(`${SECTION}.path`)) void running.restart();
    }),
  );
}
