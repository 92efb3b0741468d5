/** Results of tasks as read-only documents: nothing to save, nothing to ask when they close. */

import * as vscode from 'vscode';
import type { TaskResult } from './protocol';

const SCHEME = 'cato-result';

export class ResultDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly registrations: vscode.Disposable;
  private count = 0;

  constructor() {
    this.registrations = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.texts.delete(uri.toString())),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? '';
  }

  /** Opens `result` beside the editor that has the focus, and leaves the focus there. */
  async show(result: TaskResult): Promise<void> {
    this.count += 1;
    const name = result.title.replaceAll('/', '∕');
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}`, query: String(this.count) });
    this.texts.set(uri.toString(), result.text);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: false,
    });
    // After it is shown: changing the language closes and opens the document, its text must stay.
    const text = result.text;
    await vscode.languages.setTextDocumentLanguage(document, result.languageId);
    this.texts.set(uri.toString(), text);
  }

  dispose(): void {
    this.registrations.dispose();
  }
}
