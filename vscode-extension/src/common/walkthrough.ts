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

export class Walkthrough {
  private readonly done = new Set<Step>();

  constructor(private readonly extension: string) {}

  /** Ticks a step. */
  tick(step: Step): void {
    this.done.add(step);
    this.tell();
  }

  /** Ticks what `status` shows to be true. */
  follow(status: ServerStatus): void {
    this.done.add('serverRuns');
    if (status.state === 'ready' || status.state === 'busy') this.done.add('backendAnswers');
    if (status.acceptedCharacters > 0) this.done.add('suggestionAccepted');
    this.tell();
  }

  async open(): Promise<void> {
    const walkthrough = `${this.extension}#start`;
    await vscode.commands.executeCommand('workbench.action.openWalkthrough', walkthrough);
    this.tell();
  }

  /**
   * VS Code ticks a step when its context becomes true, but not if it is true already when VS Code
   * comes to know the walkthrough: so each time, it becomes true for a moment.
   */
  private tell(): void {
    for (const step of this.done) void pulse(`cato.${step}`);
  }
}

async function pulse(key: string): Promise<void> {
  await vscode.commands.executeCommand('setContext', key, true);
  await vscode.commands.executeCommand('setContext', key, false);
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
