/**
 * Tells the language server what became of a suggestion on the screen.
 *
 * VS Code tells an extension only of a whole acceptance (by the item's command). That it shows what
 * it was answered, and that a piece of it was accepted, is concluded from the document and the cursor:
 * an accepted piece is inserted at the cursor, and moves it, without the keyboard.
 */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { type Edit, Offer } from './offer';
import {
  DidPartiallyAcceptNotification,
  DidShowNotification,
  type SuggestedItem,
} from './protocol';
import type { Answered, Server } from './server';

export function followSuggestions(server: Server): vscode.Disposable {
  const follower = new Follower(server);
  return vscode.Disposable.from(
    server.onDidAnswer((answered) => follower.answered(answered)),
    vscode.workspace.onDidChangeTextDocument((change) => follower.changed(change)),
    vscode.window.onDidChangeTextEditorSelection((change) => follower.moved(change)),
  );
}

class Follower {
  private document: vscode.TextDocument | undefined;
  private offer: Offer<SuggestedItem> | undefined;
  /** Whether a piece was inserted, and it is not known yet by what. */
  private inserted = false;

  constructor(private readonly server: Server) {}

  answered({ document, position, items }: Answered): void {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document !== document || !editor.selection.active.isEqual(position)) return;
    this.document = document;
    this.offer = Offer.at(
      position,
      items.map((item) => candidate(document, position, item)),
    );
    this.inserted = false;
    const shown = this.offer.shown;
    if (shown)
      this.tell((client) => client.sendNotification(DidShowNotification, { item: shown.item }));
  }

  changed({ document, contentChanges: [change, ...others] }: vscode.TextDocumentChangeEvent): void {
    if (document !== this.document || !change) return;
    this.offer = others.length === 0 ? this.offer?.after(editOf(change)) : undefined;
    this.inserted = this.offer?.shown !== undefined;
  }

  moved({ textEditor, kind }: vscode.TextEditorSelectionChangeEvent): void {
    if (textEditor.document !== this.document || !this.inserted) return;
    this.inserted = false;
    const shown = this.offer?.shown;
    const byHand =
      kind === vscode.TextEditorSelectionChangeKind.Keyboard ||
      kind === vscode.TextEditorSelectionChangeKind.Mouse;
    if (!shown || byHand) return;
    const params = { item: shown.item, acceptedLength: shown.taken };
    this.tell((client) => client.sendNotification(DidPartiallyAcceptNotification, params));
  }

  private tell(send: (client: LanguageClient) => Promise<void>): void {
    const client = this.server.running;
    // Nothing waits for it: a server that is just stopping need not hear it.
    if (client) void send(client).catch(() => undefined);
  }
}

function candidate(
  document: vscode.TextDocument,
  position: vscode.Position,
  { insertText, range, command }: vscode.InlineCompletionItem,
) {
  const text = typeof insertText === 'string' ? insertText : insertText.value;
  const typed = range ? document.getText(range.with({ end: position })) : '';
  return { item: { insertText: text, command }, text, typed };
}

function editOf(change: vscode.TextDocumentContentChangeEvent): Edit {
  return { place: change.range.start, replaced: change.rangeLength, text: change.text };
}
