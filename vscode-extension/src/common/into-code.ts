/** Brings results into the code: each in one step of undo. */

import * as vscode from 'vscode';
import type { DocumentEdit } from './protocol';

/**
 * Makes edits of the document, and refuses where its text is not `source` any more, for which they
 * were made.
 */
export async function applyEdits(
  uri: vscode.Uri,
  edits: readonly DocumentEdit[],
  source: string | undefined,
): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uri);
  if (document.getText() !== source) {
    const message = vscode.l10n.t('CATO: the code has changed since. Ask again.');
    void vscode.window.showWarningMessage(message);
    return;
  }
  const changes = new vscode.WorkspaceEdit();
  for (const { range, newText } of edits) {
    const { start, end } = range;
    const place = new vscode.Range(start.line, start.character, end.line, end.character);
    changes.replace(uri, place, newText);
  }
  await vscode.workspace.applyEdit(changes);
}

/** Puts the text behind the cursor of the document, or in place of what is selected there. */
export async function insertText(
  uri: vscode.Uri,
  text: string,
  { replace }: { replace: boolean },
): Promise<void> {
  const editor = await editorOf(uri);
  const { selection } = editor;
  if (replace && selection.isEmpty) {
    const message = vscode.l10n.t('CATO: select first what the result is to replace.');
    void vscode.window.showWarningMessage(message);
    return;
  }
  const place = replace ? selection : new vscode.Range(selection.active, selection.active);
  await editor.edit((change) => change.replace(place, text));
}

/** An editor of the document, with the cursor and the selection that the person left there. */
async function editorOf(uri: vscode.Uri): Promise<vscode.TextEditor> {
  const open = vscode.window.visibleTextEditors.find(
    ({ document }) => document.uri.toString() === uri.toString(),
  );
  if (open) return open;
  return vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), {
    viewColumn: vscode.ViewColumn.One,
  });
}
