/** Which steps of the walkthrough are done, and the file to try suggestions in. */

import * as vscode from 'vscode';
import type { ServerStatus } from './protocol';

const SAMPLE = `def total(prices):
    """Adds up prices."""
    result = 0
    for price in prices:
        result += price
    return result


def mean(prices):
    return `;

/** The context keys that tick the steps. */
type Step = 'serverRuns' | 'backendAnswers' | 'suggestionAccepted' | 'taskDone';

export function tick(step: Step): void {
  void vscode.commands.executeCommand('setContext', `cato.${step}`, true);
}

/** Ticks what `status` shows to be true. */
export function tellWalkthrough(status: ServerStatus): void {
  tick('serverRuns');
  if (status.state === 'ready' || status.state === 'busy') tick('backendAnswers');
  if (status.acceptedCharacters > 0) tick('suggestionAccepted');
}

/** Opens a file that is not saved anywhere, with the cursor where a suggestion comes. */
export async function openSample(): Promise<void> {
  const document = await vscode.workspace.openTextDocument({
    language: 'python',
    content: SAMPLE,
  });
  const editor = await vscode.window.showTextDocument(document);
  const end = document.positionAt(SAMPLE.length);
  editor.selection = new vscode.Selection(end, end);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
}
