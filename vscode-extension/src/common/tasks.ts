/** Whole tasks on the function under the cursor or on the selection. */

import * as vscode from 'vscode';
import type { CancellationToken, LanguageClient } from 'vscode-languageclient/node';
import { ExecuteCommandRequest } from 'vscode-languageclient/node';
import { chooseTarget } from './languages';
import {
  type SummarizeParams,
  SummarizeRequest,
  type TaskResult,
  TranslateRequest,
} from './protocol';
import { offer, remediesFor } from './remedies';
import type { Results } from './results';
import type { Server } from './server';
import type { StatusItem } from './status';
import {
  askInstruction,
  fixHere,
  isTask,
  resultLanguage,
  type TaskCommand,
  taskHere,
} from './task-commands';
import { runTask, type SendCommand, type TaskRun } from './task-run';
import { isUnapplied } from './unapplied';
import type { Walkthrough } from './walkthrough';

type Send = (
  client: LanguageClient,
  params: SummarizeParams,
  token: CancellationToken,
) => Promise<TaskResult>;

export class Tasks {
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
    const languageId = await resultLanguage(task, about);
    const run = { title: vscode.l10n.t('CATO: working'), about, languageId };
    await this.shown(
      client,
      run,
      (tokens, token) =>
        client.sendRequest(
          ExecuteCommandRequest.type,
          { ...task, ...tokens },
          token,
        ) as Promise<TaskResult>,
    );
  }

  async summarize(): Promise<void> {
    const title = vscode.l10n.t('CATO: summarizing');
    await this.run(title, 'markdown', (client, params, token) =>
      client.sendRequest(SummarizeRequest, params, token),
    );
  }

  async translate(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const target = editor && (await chooseTarget(editor.document.languageId, this.memory));
    if (!target) return;
    const title = vscode.l10n.t('CATO: translating to {0}', target.name);
    await this.run(title, target.id, (client, params, token) =>
      client.sendRequest(TranslateRequest, { ...params, targetLanguage: target.id }, token),
    );
  }

  private async run(title: string, languageId: string, send: Send): Promise<void> {
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
    const run = { title, about: editor.document.uri, languageId };
    await this.shown(client, run, (tokens, token) => send(client, { ...place, ...tokens }, token));
  }

  /** Shows how the task gets on, then its result. */
  private async shown(client: LanguageClient, run: TaskRun, send: SendCommand): Promise<void> {
    try {
      const { result, shown } = await runTask(client, this.results, run, send);
      await this.finish(result, run.about, shown !== undefined);
    } catch (error) {
      if (!(error instanceof vscode.CancellationError)) this.complain(String(error));
    }
  }

  private async finish(result: TaskResult, about: vscode.Uri, isShown: boolean): Promise<void> {
    this.log.info(
      `${result.requestId}: ${result.outcome} after ${Math.round(result.elapsedMs)} ms`,
    );
    if (result.outcome === 'ok') {
      this.walkthrough.tick('taskDone');
      if (result.message) this.complain(result.message);
      const unapplied = isUnapplied(result);
      if (unapplied) void vscode.window.showInformationMessage(notApplied());
      const isWanted = unapplied || !result.edits?.length;
      if (isWanted && !isShown) await this.showWhole(result, about);
    }
    if (result.outcome === 'failed') this.complain(result.message);
  }

  private async showWhole(result: TaskResult, about: vscode.Uri): Promise<void> {
    try {
      await this.results.showWhole(result, about);
    } catch (error) {
      this.log.warn(`a result cannot be shown: ${String(error)}`);
      const message = vscode.l10n.t('CATO: the result cannot be shown. It can be copied.');
      void offer('warning', message, ['cato.copyResult']);
    }
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
