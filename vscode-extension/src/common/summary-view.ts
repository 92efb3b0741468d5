/** Shows prose, rendered, beside the code, while it comes. */

import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { BUTTON_COMMANDS, buttonsFor, noteOn } from './result-actions';
import { type Shown, soon } from './shown';
import { content, page, rendered } from './summary-page';

const REFRESH_MS = 100;

interface Page {
  panel: vscode.WebviewPanel;
  shown: Shown;
  refresh: () => void;
}

/** One panel as a rule: a further text takes the place of one that does not fill any more. */
export class SummaryView implements vscode.Disposable {
  private readonly pages: Page[] = [];

  constructor(private readonly gone: (shown: Shown) => void) {}

  show(shown: Shown): void {
    const free = this.pages.find((page) => page.shown.state !== 'running');
    if (!free) {
      this.create(shown);
      return;
    }
    this.gone(free.shown);
    free.shown = shown;
    free.panel.title = shown.title;
    free.panel.reveal(undefined, true);
    free.refresh();
  }

  update(shown: Shown): void {
    const found = this.pages.find((page) => page.shown === shown);
    if (!found) return;
    found.panel.title = shown.title;
    found.refresh();
  }

  dispose(): void {
    for (const { panel } of [...this.pages]) panel.dispose();
  }

  private create(shown: Shown): void {
    const panel = vscode.window.createWebviewPanel(
      'cato.summary',
      shown.title,
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableCommandUris: BUTTON_COMMANDS, enableScripts: true, localResourceRoots: [] },
    );
    const created: Page = { panel, shown, refresh: () => undefined };
    created.refresh = soon(() => void this.fill(created), REFRESH_MS);
    this.pages.push(created);
    panel.webview.onDidReceiveMessage(() => created.refresh());
    panel.onDidDispose(() => {
      this.pages.splice(this.pages.indexOf(created), 1);
      this.gone(created.shown);
    });
    panel.webview.html = page(randomUUID());
  }

  /** Tells the page what to show. */
  private async fill({ shown, panel }: Page): Promise<void> {
    const { title, text } = shown;
    const links = buttonsFor(shown).map((button) => ({ ...button, argument: shown.id }));
    await panel.webview.postMessage(content(title, noteOn(shown), rendered(text), links));
  }
}
