/** Results of tasks, beside the code: what is shown, brought into the code, copied and saved. */

import * as vscode from 'vscode';
import { applyEdits, insertText } from './into-code';
import type { TaskDelta, TaskResult } from './protocol';
import { ResultDocuments } from './result-documents';
import { joined, type Shown, sourceOf } from './shown';
import { SummaryView } from './summary-view';

export class Results implements vscode.Disposable {
  private readonly documents = new ResultDocuments((shown) => this.forget(shown));
  private readonly summaries = new SummaryView((shown) => this.forget(shown));
  private readonly shown = new Map<number, Shown>();
  private count = 0;

  /** Opens the display of a task beside the editor that has the focus, and leaves the focus there. */
  async open(start: Omit<Shown, 'id' | 'state' | 'result' | 'source'>): Promise<Shown> {
    this.count += 1;
    const nothing = { result: undefined, source: undefined };
    const shown: Shown = { ...start, ...nothing, id: this.count, state: 'running' };
    try {
      await this.show(shown);
    } catch (error) {
      this.shown.delete(shown.id);
      throw error;
    }
    return shown;
  }

  /** Shows a result that was not shown while it came. It can be copied if that fails, too. */
  async showWhole(result: TaskResult, about: vscode.Uri): Promise<void> {
    this.count += 1;
    const { title, languageId, text } = result;
    const cancel = (): void => undefined;
    const source = sourceOf(result, about.toString(), vscode.workspace.textDocuments);
    const known = { id: this.count, about: about.toString(), title, languageId, text, cancel };
    await this.show({ ...known, state: 'ok', result, source });
  }

  /** More of the text has come. */
  add(shown: Shown, piece: TaskDelta): void {
    shown.text = joined(shown.text, piece);
    this.update(shown);
  }

  /** The task has ended: its result counts, in place of what has come. */
  end(shown: Shown, result: TaskResult): void {
    shown.state = result.outcome;
    if (result.outcome === 'ok') {
      shown.result = result;
      shown.source = sourceOf(result, shown.about, vscode.workspace.textDocuments);
      shown.text = result.text;
      shown.title = result.title;
    }
    this.update(shown);
  }

  cancel(id?: number): void {
    this.get(id)?.cancel();
  }

  /** Makes a summary the documentation of its function, if the document is still as it was. */
  async insertDocumentation(id?: number): Promise<void> {
    const shown = this.get(id);
    const edit = shown?.result?.documentation;
    if (shown && edit) await applyEdits(vscode.Uri.parse(shown.about), [edit], shown.source);
  }

  /** Brings a fix or the like into its document, if that is still as it was. */
  async apply(id?: number): Promise<void> {
    const shown = this.get(id);
    const edits = shown?.result?.edits;
    if (shown && edits?.length) {
      await applyEdits(vscode.Uri.parse(shown.about), edits, shown.source);
    }
  }

  async insert(id?: number): Promise<void> {
    const shown = this.get(id);
    if (shown) await insertText(vscode.Uri.parse(shown.about), shown.text, { replace: false });
  }

  async replace(id?: number): Promise<void> {
    const shown = this.get(id);
    if (shown) await insertText(vscode.Uri.parse(shown.about), shown.text, { replace: true });
  }

  async copy(id?: number): Promise<void> {
    const shown = this.get(id);
    if (shown) await vscode.env.clipboard.writeText(shown.text);
  }

  async save(id?: number): Promise<void> {
    const shown = this.get(id);
    if (!shown) return;
    const { title, languageId, text } = shown;
    const name = `${title.replaceAll(/[^\w.-]+/g, '-')}${EXTENSIONS[languageId] ?? '.txt'}`;
    const defaultUri = vscode.Uri.joinPath(vscode.Uri.parse(shown.about), '..', name);
    const place = await vscode.window.showSaveDialog({ defaultUri });
    if (!place) return;
    await vscode.workspace.fs.writeFile(place, new TextEncoder().encode(`${text}\n`));
    await vscode.window.showTextDocument(place);
  }

  dispose(): void {
    this.documents.dispose();
    this.summaries.dispose();
  }

  private async show(shown: Shown): Promise<void> {
    this.shown.set(shown.id, shown);
    await this.displayOf(shown).show(shown);
  }

  private update(shown: Shown): void {
    if (this.shown.has(shown.id)) this.displayOf(shown).update(shown);
  }

  private displayOf({ languageId }: Shown): ResultDocuments | SummaryView {
    return languageId === 'markdown' ? this.summaries : this.documents;
  }

  /** That with this id; from a menu, which gives none, the one that was shown last. */
  private get(id: number | undefined): Shown | undefined {
    return typeof id === 'number' ? this.shown.get(id) : [...this.shown.values()].at(-1);
  }

  /** It was closed: nobody waits for what still comes. */
  private forget(shown: Shown): void {
    this.shown.delete(shown.id);
    if (shown.state === 'running') shown.cancel();
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
