/** Shows summaries, rendered, beside the code. */

import * as vscode from 'vscode';
import type { Shown } from './results';
import { type Link, page, verbatim } from './summary-page';

const COMMANDS = ['cato.insertDocumentation', 'cato.copyResult', 'cato.saveResult'];

/** One panel; a further summary takes the place of the one in it. */
export class SummaryView implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private current: Shown | undefined;

  constructor(private readonly gone: (shown: Shown) => void) {}

  async show(shown: Shown): Promise<void> {
    if (this.current) this.gone(this.current);
    this.current = shown;
    const { title, text } = shown.result;
    const html = page(title, await rendered(text), links(shown));
    this.panel ??= this.create();
    this.panel.title = title;
    this.panel.webview.html = html;
    this.panel.reveal(undefined, true);
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private create(): vscode.WebviewPanel {
    const panel = vscode.window.createWebviewPanel(
      'cato.summary',
      'CATO',
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableCommandUris: COMMANDS, enableScripts: false },
    );
    panel.onDidDispose(() => {
      if (this.current) this.gone(this.current);
      this.panel = this.current = undefined;
    });
    return panel;
  }
}

function links({ id, result }: Shown): Link[] {
  const insert = vscode.l10n.t('Insert as Documentation');
  const common = [
    { label: vscode.l10n.t('Copy'), command: 'cato.copyResult', argument: id },
    { label: vscode.l10n.t('Save As…'), command: 'cato.saveResult', argument: id },
  ];
  return result.documentation
    ? [{ label: insert, command: 'cato.insertDocumentation', argument: id }, ...common]
    : common;
}

/** Markdown as HTML, by the editor's own extension for it; as it is where that is switched off. */
async function rendered(markdown: string): Promise<string> {
  try {
    return await vscode.commands.executeCommand<string>('markdown.api.render', markdown);
  } catch {
    return verbatim(markdown);
  }
}
