/** Results of tasks, beside the code: what is shown, inserted, copied and saved. */

import * as vscode from 'vscode';
import type { TaskResult } from './protocol';
import { offer } from './remedies';
import { ResultDocuments } from './result-documents';
import { SummaryView } from './summary-view';

/** A result that is on display. */
export interface Shown {
  id: number;
  result: TaskResult;
  /** The document that it is about. */
  about: vscode.Uri;
}

export class Results implements vscode.Disposable {
  private readonly documents = new ResultDocuments((shown) => this.forget(shown));
  private readonly summaries = new SummaryView((shown) => this.forget(shown));
  private readonly shown = new Map<number, Shown>();
  private count = 0;

  /** Opens `result` beside the editor that has the focus, and leaves the focus there. */
  async show(result: TaskResult, about: vscode.Uri): Promise<void> {
    this.count += 1;
    const shown = { id: this.count, result, about };
    this.shown.set(shown.id, shown);
    await (result.languageId === 'markdown' ? this.summaries : this.documents).show(shown);
  }

  /** Makes a summary the documentation of its function, if the document is still as it was. */
  async insertDocumentation(id?: number): Promise<void> {
    const shown = this.get(id);
    const edit = shown?.result.documentation;
    if (!shown || !edit) return;
    const document = await vscode.workspace.openTextDocument(shown.about);
    if (document.version !== edit.version) {
      const message = vscode.l10n.t('CATO: the code has changed since it was summarized.');
      await offer('warning', message, ['cato.summarizeFunction']);
      return;
    }
    const { start, end } = edit.range;
    const range = new vscode.Range(start.line, start.character, end.line, end.character);
    const changes = new vscode.WorkspaceEdit();
    changes.replace(shown.about, range, edit.newText);
    await vscode.workspace.applyEdit(changes);
  }

  async copy(id?: number): Promise<void> {
    const shown = this.get(id);
    if (shown) await vscode.env.clipboard.writeText(shown.result.text);
  }

  async save(id?: number): Promise<void> {
    const shown = this.get(id);
    if (!shown) return;
    const { title, languageId, text } = shown.result;
    const name = `${title.replaceAll(/[^\w.-]+/g, '-')}${EXTENSIONS[languageId] ?? '.txt'}`;
    const defaultUri = vscode.Uri.joinPath(shown.about, '..', name);
    const place = await vscode.window.showSaveDialog({ defaultUri });
    if (!place) return;
    await vscode.workspace.fs.writeFile(place, new TextEncoder().encode(`${text}\n`));
    await vscode.window.showTextDocument(place);
  }

  dispose(): void {
    this.documents.dispose();
    this.summaries.dispose();
  }

  /** That with this id; from a menu, which gives none, the one that was shown last. */
  private get(id: number | undefined): Shown | undefined {
    return typeof id === 'number' ? this.shown.get(id) : [...this.shown.values()].at(-1);
  }

  private forget({ id }: Shown): void {
    this.shown.delete(id);
  }
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  markdown: '.md',
  python: '.py',
  javascript: '.js',
  typescript: '.ts',
  java: '.java',
  go: '.go',
  rust: '.rs',
  c: '.c',
  cpp: '.cpp',
  csharp: '.cs',
  ruby: '.rb',
  php: '.php',
};
