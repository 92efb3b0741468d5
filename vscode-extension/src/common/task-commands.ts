/** Whole tasks that the language server runs as commands, and what of the editor they are about. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';

const TASKS = 'cato.server.';
const NO_TASK = 'cato.server.accepted';

/** Whether a command of the language server answers with the result of a task. */
export function isTask(command: string): boolean {
  return command.startsWith(TASKS) && command !== NO_TASK;
}

export interface TaskCommand {
  command: string;
  arguments: unknown[];
}

/**
 * The language of what the task answers; undefined where that comes into the document, and for a
 * command of which nothing is known.
 */
export async function resultLanguage(
  { command }: TaskCommand,
  about: vscode.Uri,
): Promise<string | undefined> {
  switch (command.slice(TASKS.length)) {
    case 'summarize':
    case 'explain':
      return 'markdown';
    case 'test':
      return (await vscode.workspace.openTextDocument(about)).languageId;
    default:
      return undefined;
  }
}

/** The task about the selection of the editor, or about what is around its cursor. */
export function taskHere(
  client: LanguageClient,
  editor: vscode.TextEditor,
  verb: string,
  ...more: unknown[]
): TaskCommand {
  const { selection, document } = editor;
  const convert = client.code2ProtocolConverter;
  const place = selection.isEmpty
    ? convert.asPosition(selection.active)
    : convert.asRange(selection);
  return { command: TASKS + verb, arguments: [convert.asUri(document.uri), place, ...more] };
}

/** The fix of the problems on the lines of the selection; undefined where there are none. */
export async function fixHere(
  client: LanguageClient,
  editor: vscode.TextEditor,
): Promise<TaskCommand | undefined> {
  const { selection, document } = editor;
  const problems = vscode.languages
    .getDiagnostics(document.uri)
    .filter(({ range }) => touches(range, selection));
  const [first] = problems;
  if (!first) return undefined;
  const convert = client.code2ProtocolConverter;
  return {
    command: `${TASKS}fix`,
    arguments: [
      convert.asUri(document.uri),
      convert.asRange(first.range),
      await convert.asDiagnostics(problems),
    ],
  };
}

function touches(range: vscode.Range, selection: vscode.Selection): boolean {
  return range.start.line <= selection.end.line && range.end.line >= selection.start.line;
}

/** What a person wants to be generated; empty: what the comment at the cursor says. */
export function askInstruction(): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    title: vscode.l10n.t('CATO: generate code'),
    prompt: vscode.l10n.t('What the code should do. Empty: what the comment at the cursor says.'),
    ignoreFocusOut: true,
  });
}
