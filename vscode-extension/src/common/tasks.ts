/** Whole tasks on the function under the cursor or on the selection. */

import * as vscode from 'vscode';
import type { CancellationToken, LanguageClient, ProgressToken } from 'vscode-languageclient/node';
import { ExecuteCommandRequest, WorkDoneProgress } from 'vscode-languageclient/node';
import { chooseTarget } from './languages';
import {
  type SummarizeParams,
  SummarizeRequest,
  TaskProgress,
  type TaskResult,
  TranslateRequest,
} from './protocol';
import { offer, remediesFor } from './remedies';
import type { Results } from './results';
import type { Server } from './server';
import type { StatusItem } from './status';
import { askInstruction, fixHere, isTask, type TaskCommand, taskHere } from './task-commands';
import { isUnapplied } from './unapplied';
import type { Walkthrough } from './walkthrough';

interface Tokens {
  workDoneToken: ProgressToken;
  partialResultToken: ProgressToken;
}

type Send = (
  client: LanguageClient,
  params: SummarizeParams,
  token: CancellationToken,
) => Promise<TaskResult>;

type SendCommand = (tokens: Tokens, token: CancellationToken) => Promise<TaskResult>;

export class Tasks {
  private count = 0;

  constructor(
    private readonly server: Server,
    private readonly results: Results,
    private readonly item: StatusItem,
    private readonly walkthrough: Walkthrough,
    private readonly memory: vscode.Memento,
    private readonly log: vscode.LogOutputChannel,
  ) {
    server.runCommand = (command, given) =>
      isTask(command) ? this.execute({ command, arguments: given }) : undefined;
  }

  /** Documents, explains or tests what is selected, or the function under the cursor. */
  async perform(verb: 'document' | 'explain' | 'test'): Promise<void> {
    await this.here((client, editor) => taskHere(client, editor, verb));
  }

  /** Fixes the problems on the line of the cursor. */
  async fix(): Promise<void> {
    await this.here(async (client, editor) => {
      const found = await fixHere(client, editor);
      if (!found) this.complain(vscode.l10n.t('There is no problem on this line.'));
      return found;
    });
  }

  /** Generates what the person says, or what the comment at the cursor does. */
  async generate(): Promise<void> {
    const instruction = await askInstruction();
    if (instruction === undefined) return;
    await this.here((client, editor) => taskHere(client, editor, 'generate', instruction));
  }

  private async here(
    task: (
      client: LanguageClient,
      editor: vscode.TextEditor,
    ) => Promise<TaskCommand | undefined> | TaskCommand,
  ): Promise<void> {
    const client = this.server.running;
    const editor = vscode.window.activeTextEditor;
    if (!client || !editor) {
      this.complain(vscode.l10n.t('The language server is not running.'));
      return;
    }
    const found = await task(client, editor);
    if (found) await this.execute(found);
  }

  private async execute(task: TaskCommand): Promise<void> {
    const client = this.server.running;
    if (!client) return;
    const about = vscode.Uri.parse(String(task.arguments[0]));
    await this.shown(
      client,
      vscode.l10n.t('CATO: working'),
      about,
      (tokens, token) =>
        client.sendRequest(
          ExecuteCommandRequest.type,
          { ...task, workDoneToken: tokens.workDoneToken },
          token,
        ) as Promise<TaskResult>,
    );
  }

  async summarize(): Promise<void> {
    await this.run(vscode.l10n.t('CATO: summarizing'), (client, params, token) =>
      client.sendRequest(SummarizeRequest, params, token),
    );
  }

  async translate(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const target = editor && (await chooseTarget(editor.document.languageId, this.memory));
    if (!target) return;
    const title = vscode.l10n.t('CATO: translating to {0}', target.name);
    await this.run(title, (client, params, token) =>
      client.sendRequest(TranslateRequest, { ...params, targetLanguage: target.id }, token),
    );
  }

  private async run(title: string, send: Send): Promise<void> {
    const client = this.server.running;
    const editor = vscode.window.activeTextEditor;
    if (!client || !editor) {
      this.complain(vscode.l10n.t('The language server is not running.'));
      return;
    }
    const place = {
      textDocument: client.code2ProtocolConverter.asTextDocumentIdentifier(editor.document),
      position: client.code2ProtocolConverter.asPosition(editor.selection.active),
    };
    await this.shown(client, title, editor.document.uri, (tokens, token) =>
      send(client, { ...place, ...tokens }, token),
    );
  }

  /** Shows how the task gets on, then its result. */
  private async shown(
    client: LanguageClient,
    title: string,
    about: vscode.Uri,
    send: SendCommand,
  ): Promise<void> {
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    let answer: Promise<TaskResult> | undefined;
    try {
      await vscode.window.withProgress(options, (progress, token) =>
        this.withReports(client, progress, (tokens) => {
          answer = send(tokens, token);
          return answer;
        }),
      );
      if (answer) await this.finish(await answer, about);
    } catch (error) {
      if (!(error instanceof vscode.CancellationError)) this.complain(String(error));
    }
  }

  /**
   * Runs `send` with the two tokens under which the server reports, and shows the reports, until
   * the work is over: its answer may wait for a person who looks at the edits.
   */
  private async withReports(
    client: LanguageClient,
    progress: vscode.Progress<{ message: string }>,
    send: (tokens: Tokens) => Promise<unknown>,
  ): Promise<void> {
    this.count += 1;
    const workDoneToken = `cato-work-${this.count}`;
    const partialResultToken = `cato-partial-${this.count}`;
    let text = '';
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const handlers = vscode.Disposable.from(
      client.onProgress(WorkDoneProgress.type, workDoneToken, (report) => {
        const message =
          report.kind === 'begin' ? report.title : 'message' in report && report.message;
        if (message) progress.report({ message });
        if (report.kind === 'end') end();
      }),
      client.onProgress(TaskProgress, partialResultToken, ({ delta }) => {
        text += delta;
        progress.report({ message: lastLine(text) });
      }),
    );
    try {
      await Promise.race([send({ workDoneToken, partialResultToken }), ended]);
    } finally {
      handlers.dispose();
    }
  }

  private async finish(result: TaskResult, about: vscode.Uri): Promise<void> {
    this.log.info(
      `${result.requestId}: ${result.outcome} after ${Math.round(result.elapsedMs)} ms`,
    );
    if (result.outcome === 'ok') {
      this.walkthrough.tick('taskDone');
      if (result.message) this.complain(result.message);
      const unapplied = isUnapplied(result);
      if (unapplied) void vscode.window.showInformationMessage(notApplied());
      if (unapplied || !result.edits?.length) await this.results.show(result, about);
    }
    if (result.outcome === 'failed') this.complain(result.message);
  }

  private complain(message: string): void {
    this.log.warn(message);
    const commands = remediesFor(this.item.status.state);
    void offer('warning', `CATO: ${message}`, commands.length ? commands : ['cato.showLogs']);
  }
}

function notApplied(): string {
  return vscode.l10n.t('CATO: the changes were not applied. The result is shown beside the code.');
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 80) ?? '';
}
