/** One task that runs: its progress in a notification, its text in a display that fills. */

import * as vscode from 'vscode';
import type { LanguageClient, ProgressToken } from 'vscode-languageclient/node';
import { WorkDoneProgress } from 'vscode-languageclient/node';
import { Filling } from './filling';
import { TaskProgress, type TaskResult } from './protocol';
import type { Results } from './results';
import type { Shown } from './shown';

export interface Tokens {
  workDoneToken: ProgressToken;
  partialResultToken: ProgressToken;
}

export type SendCommand = (tokens: Tokens, token: vscode.CancellationToken) => Promise<TaskResult>;

/** What a task is about, and what its result will be. */
export interface TaskRun {
  /** Of the notification. */
  title: string;
  about: vscode.Uri;
  /** The language of its result; undefined where that comes into the document. */
  languageId: string | undefined;
}

let count = 0;

/**
 * Sends the task and shows how it gets on, until its answer is there. Its text opens beside the code
 * with the first piece; undefined where none came, or where it belongs into the document.
 */
export async function runTask(
  client: LanguageClient,
  results: Results,
  run: TaskRun,
  send: SendCommand,
): Promise<{ result: TaskResult; shown: Shown | undefined }> {
  const ending = new vscode.CancellationTokenSource();
  const filling = new Filling(results, run, () => ending.cancel());
  const location = vscode.ProgressLocation.Notification;
  const options = { location, title: run.title, cancellable: true };
  let answer: Promise<TaskResult> | undefined;
  try {
    await vscode.window.withProgress(options, async (progress, cancelled) => {
      cancelled.onCancellationRequested(() => ending.cancel());
      await reported(client, progress, filling, (tokens) => {
        answer = send(tokens, ending.token);
        return answer;
      });
    });
    if (!answer) throw new vscode.CancellationError();
    const result = await answer;
    return { result, shown: await filling.end(result) };
  } catch (error) {
    await filling.end(broken(error));
    throw error;
  } finally {
    ending.dispose();
  }
}

/**
 * Runs `send` with the two tokens under which the server reports, and tells of the reports, until
 * the work is over: its answer may wait for a person who looks at the edits.
 */
async function reported(
  client: LanguageClient,
  progress: vscode.Progress<{ message: string }>,
  filling: Filling,
  send: (tokens: Tokens) => Promise<unknown>,
): Promise<void> {
  count += 1;
  const workDoneToken = `cato-work-${count}`;
  const partialResultToken = `cato-partial-${count}`;
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const handlers = vscode.Disposable.from(
    client.onProgress(WorkDoneProgress.type, workDoneToken, (report) => {
      if (report.kind === 'begin') filling.title = report.title;
      const message = report.kind === 'begin' ? report.title : report.message;
      if (message) progress.report({ message });
      if (report.kind === 'end') end();
    }),
    client.onProgress(TaskProgress, partialResultToken, (piece) => {
      const line = filling.take(piece);
      if (line) progress.report({ message: line });
    }),
  );
  try {
    await Promise.race([send({ workDoneToken, partialResultToken }), ended]);
  } finally {
    handlers.dispose();
  }
}

function broken(error: unknown): TaskResult {
  const outcome = error instanceof vscode.CancellationError ? 'cancelled' : 'failed';
  const nothing = { requestId: null, title: '', languageId: '', text: '', documentation: null };
  return { ...nothing, outcome, message: String(error), elapsedMs: 0 };
}
