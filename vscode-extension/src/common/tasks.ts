/** Whole tasks on the function under the cursor: summarize, translate. */

import * as vscode from 'vscode';
import type { CancellationToken, LanguageClient } from 'vscode-languageclient/node';
import { WorkDoneProgress } from 'vscode-languageclient/node';
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
import type { Walkthrough } from './walkthrough';

type Send = (
  client: LanguageClient,
  params: SummarizeParams,
  token: CancellationToken,
) => Promise<TaskResult>;

export class Tasks {
  private count = 0;

  constructor(
    private readonly server: Server,
    private readonly results: Results,
    private readonly item: StatusItem,
    private readonly walkthrough: Walkthrough,
    private readonly memory: vscode.Memento,
    private readonly log: vscode.LogOutputChannel,
  ) {}

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
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    try {
      const result = await vscode.window.withProgress(options, (progress, token) =>
        this.withReports(client, progress, (tokens) =>
          send(client, { ...place, ...tokens }, token),
        ),
      );
      await this.finish(result, editor.document);
    } catch (error) {
      if (!(error instanceof vscode.CancellationError)) this.complain(String(error));
    }
  }

  /** Runs `send` with the two tokens under which the server reports, and shows the reports. */
  private async withReports(
    client: LanguageClient,
    progress: vscode.Progress<{ message: string }>,
    send: (tokens: { workDoneToken: string; partialResultToken: string }) => Promise<TaskResult>,
  ): Promise<TaskResult> {
    this.count += 1;
    const workDoneToken = `cato-work-${this.count}`;
    const partialResultToken = `cato-partial-${this.count}`;
    let text = '';
    const handlers = vscode.Disposable.from(
      client.onProgress(WorkDoneProgress.type, workDoneToken, (report) => {
        if ('message' in report && report.message) progress.report({ message: report.message });
      }),
      client.onProgress(TaskProgress, partialResultToken, ({ delta }) => {
        text += delta;
        progress.report({ message: lastLine(text) });
      }),
    );
    try {
      return await send({ workDoneToken, partialResultToken });
    } finally {
      handlers.dispose();
    }
  }

  private async finish(result: TaskResult, about: vscode.TextDocument): Promise<void> {
    this.log.info(
      `${result.requestId}: ${result.outcome} after ${Math.round(result.elapsedMs)} ms`,
    );
    if (result.outcome === 'ok') {
      this.walkthrough.tick('taskDone');
      await this.results.show(result, about.uri);
    }
    if (result.outcome === 'failed') this.complain(result.message);
  }

  private complain(message: string): void {
    this.log.warn(message);
    const commands = remediesFor(this.item.status.state);
    void offer('warning', `CATO: ${message}`, commands.length ? commands : ['cato.showLogs']);
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 80) ?? '';
}
