/** Tells the language server where the person turned to, so that the first suggestion is warm. */

import * as vscode from 'vscode';
import { DidFocusNotification } from './protocol';
import type { Server } from './server';

/** A cursor that moved by fewer lines is still at the same place. */
const JUMP_LINES = 50;

export function followFocus(server: Server): vscode.Disposable {
  let last: { uri: string; line: number } | undefined;
  const tell = (editor: vscode.TextEditor | undefined): void => {
    const client = server.running;
    if (!editor || !client) return;
    const { document, selection } = editor;
    const here = { uri: document.uri.toString(), line: selection.active.line };
    if (last?.uri === here.uri && Math.abs(last.line - here.line) < JUMP_LINES) return;
    last = here;
    const textDocument = client.code2ProtocolConverter.asTextDocumentIdentifier(document);
    const position = client.code2ProtocolConverter.asPosition(selection.active);
    // Nothing waits for it: a server that is just stopping need not hear it.
    void client
      .sendNotification(DidFocusNotification, { textDocument, position })
      .catch(() => undefined);
  };
  return vscode.Disposable.from(
    vscode.window.onDidChangeActiveTextEditor(tell),
    vscode.window.onDidChangeTextEditorSelection((change) => tell(change.textEditor)),
  );
}
