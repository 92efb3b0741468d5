/** Code as read-only documents that fill: nothing to save, nothing to ask when they close. */

import * as vscode from 'vscode';
import { buttonsFor, noteOn } from './result-actions';
import { type Shown, soon } from './shown';

const SCHEME = 'cato-result';
/** VS Code shows new code lenses only once a document has not changed for 250 ms. */
const REFRESH_MS = 400;
const TOP = new vscode.Range(0, 0, 0, 0);

interface Opened {
  shown: Shown;
  refresh: () => void;
}

export class ResultDocuments
  implements vscode.TextDocumentContentProvider, vscode.CodeLensProvider, vscode.Disposable
{
  private readonly opened = new Map<string, Opened>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly buttonsChanged = new vscode.EventEmitter<void>();
  private readonly registrations: vscode.Disposable;
  readonly onDidChange = this.changed.event;
  readonly onDidChangeCodeLenses = this.buttonsChanged.event;

  constructor(private readonly gone: (shown: Shown) => void) {
    this.registrations = vscode.Disposable.from(
      this.changed,
      this.buttonsChanged,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.languages.registerCodeLensProvider({ scheme: SCHEME }, this),
      vscode.window.tabGroups.onDidChangeTabs(({ closed }) =>
        closed.forEach((tab) => this.left(tab)),
      ),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.opened.get(uri.toString())?.shown.text ?? '';
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const shown = this.opened.get(document.uri.toString())?.shown;
    if (!shown) return [];
    const note = noteOn(shown);
    const buttons = buttonsFor(shown).map(
      ({ label, command }) =>
        new vscode.CodeLens(TOP, { title: label, command, arguments: [shown.id] }),
    );
    // Without a command, a lens is only read.
    return note ? [new vscode.CodeLens(TOP, { title: note, command: '' }), ...buttons] : buttons;
  }

  async show(shown: Shown): Promise<void> {
    const uri = uriOf(shown);
    const refresh = soon(() => this.changed.fire(uri), REFRESH_MS);
    this.opened.set(uri.toString(), { shown, refresh });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
    await vscode.languages.setTextDocumentLanguage(document, shown.languageId);
    // More may have come since the document asked for its text.
    refresh();
  }

  update(shown: Shown): void {
    const opened = [...this.opened.values()].find((each) => each.shown === shown);
    opened?.refresh();
    if (shown.state !== 'running') this.buttonsChanged.fire();
  }

  dispose(): void {
    this.registrations.dispose();
  }

  /** A tab was closed: its document is gone where no other tab has it. */
  private left({ input }: vscode.Tab): void {
    if (!(input instanceof vscode.TabInputText)) return;
    const uri = input.uri.toString();
    const opened = this.opened.get(uri);
    if (!opened || isOpen(uri)) return;
    this.opened.delete(uri);
    this.gone(opened.shown);
  }
}

function uriOf({ id, title }: Shown): vscode.Uri {
  const path = `/${title.replaceAll('/', '∕')}`;
  return vscode.Uri.from({ scheme: SCHEME, path, query: String(id) });
}

function isOpen(uri: string): boolean {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .some(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === uri);
}
