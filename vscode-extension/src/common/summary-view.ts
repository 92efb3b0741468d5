/** Shows prose, rendered, beside the code, while it comes. */

import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { BUTTON_COMMANDS, buttonsFor, noteOn } from './result-actions';
import { type Shown, soon } from './shown';
import { content, page, verbatim } from './summary-page';

const REFRESH_MS = 100;

interface Page {
  panel: vscode.WebviewPanel;
  shown: Shown;
  refresh: () => void;
  /** How many contents were made, and which of them is shown: an older one may be ready later. */
  made: number;
  posted: number;
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
    const created: Page = { panel, shown, refresh: () => undefined, made: 0, posted: 0 };
    created.refresh = soon(() => void this.fill(created), REFRESH_MS);
    this.pages.push(created);
    panel.webview.onDidReceiveMessage(() => created.refresh());
    panel.onDidDispose(() => {
      this.pages.splice(this.pages.indexOf(created), 1);
      this.gone(created.shown);
    });
    panel.webview.html = page(randomUUID());
  }

  /** Tells the page what to show, unless it shows something newer by then. */
  private async fill(page: Page): Promise<void> {
    const { shown } = page;
    const order = ++page.made;
    const { title, text } = shown;
    const [note, buttons] = [noteOn(shown), buttonsFor(shown)];
    const body = await rendered(text);
    if (page.shown !== shown || order < page.posted || !this.pages.includes(page)) return;
    page.posted = order;
    const links = buttons.map((button) => ({ ...button, argument: shown.id }));
    await page.panel.webview.postMessage(content(title, note, body, links));
  }
}

/** Markdown as HTML, by the editor's own extension for it; as it is where that is switched off. */
async function rendered(markdown: string): Promise<string> {
  try {
    return await vscode.commands.executeCommand<string>('markdown.api.render', markdown);
  } catch {
    return verbatim(markdown);
  }
}
