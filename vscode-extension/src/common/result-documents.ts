/** Translations as read-only documents: nothing to save, nothing to ask when they close. */

import * as vscode from 'vscode';
import type { Shown } from './results';

const SCHEME = 'cato-result';

export class ResultDocuments
  implements vscode.TextDocumentContentProvider, vscode.CodeLensProvider, vscode.Disposable
{
  private readonly shown = new Map<string, Shown>();
  private readonly registrations: vscode.Disposable;
  /** The document whose language is being set. */
  private changing: string | undefined;

  constructor(private readonly gone: (shown: Shown) => void) {
    this.registrations = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.languages.registerCodeLensProvider({ scheme: SCHEME }, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.forget(uri.toString())),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.shown.get(uri.toString())?.result.text ?? '';
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const shown = this.shown.get(document.uri.toString());
    if (!shown) return [];
    const lens = (title: string, command: string): vscode.CodeLens =>
      new vscode.CodeLens(new vscode.Range(0, 0, 0, 0), { title, command, arguments: [shown.id] });
    return [
      lens(vscode.l10n.t('Copy'), 'cato.copyResult'),
      lens(vscode.l10n.t('Save As…'), 'cato.saveResult'),
    ];
  }

  async show(shown: Shown): Promise<void> {
    const name = shown.result.title.replaceAll('/', '∕');
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}`, query: String(shown.id) });
    this.shown.set(uri.toString(), shown);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
    // After it is shown: to change the language closes and opens the document, which stays known.
    this.changing = uri.toString();
    await vscode.languages.setTextDocumentLanguage(document, shown.result.languageId);
    this.changing = undefined;
  }

  dispose(): void {
    this.registrations.dispose();
  }

  private forget(uri: string): void {
    if (uri === this.changing) return;
    const shown = this.shown.get(uri);
    this.shown.delete(uri);
    if (shown) this.gone(shown);
  }
}
