/** The life of the language server: start, restart, stop, settings, status. */

import * as vscode from 'vscode';
import {
  DidChangeConfigurationNotification,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  State,
  TransportKind,
} from 'vscode-languageclient/node';
import type { Located, Locator } from './locate';
import {
  DidChangeStatusNotification,
  RestartBackendRequest,
  type ServerStatus,
  StatusRequest,
} from './protocol';
import { QuietErrorHandler } from './quiet';
import { offer, remediesFor } from './remedies';
import { SECTION, type Settings } from './settings';
import { SetupError } from './setup-error';
import type { StatusItem } from './status';
import type { Walkthrough } from './walkthrough';

/** Cells of notebooks are documents of their own to the language server. */
const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell'];
const STOP_TIMEOUT_MS = 3000;
const REFRESH_MS = 2000;

/** Suggestions for a place where the cursor and the text are still as they were. */
export interface Answered {
  document: vscode.TextDocument;
  position: vscode.Position;
  items: readonly vscode.InlineCompletionItem[];
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private located: Located | undefined;
  /** Starts and stops happen one after the other, in the order in which they were asked for. */
  private last: Promise<void> = Promise.resolve();
  private refreshedAt = 0;
  /** The backend whose refusal of the token was told last. */
  private refusedBy: string | null | undefined;
  private readonly answered = new vscode.EventEmitter<Answered>();
  /** Runs a command of the language server in place of its client, where it knows it. */
  runCommand: ((command: string, given: unknown[]) => Promise<void> | undefined) | undefined;
  /** VS Code was given suggestions to show. */
  readonly onDidAnswer = this.answered.event;

  constructor(
    private readonly locator: Locator,
    private readonly settings: Settings,
    private readonly item: StatusItem,
    private readonly walkthrough: Walkthrough,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** The client of a running server, or undefined. */
  get running(): LanguageClient | undefined {
    return this.client?.state === State.Running ? this.client : undefined;
  }

  /** What runs, for diagnostics. */
  get description(): string {
    if (!this.located) return 'none';
    const info = this.client?.initializeResult?.serverInfo;
    const name = info ? `${info.name} ${info.version ?? ''}` : 'not initialized';
    return `${name} (${this.located.command}, from ${this.located.origin})`;
  }

  /** Starts, or stops and starts again. Never rejects: the status item says how it went. */
  restart(): Promise<void> {
    return this.enqueue(async () => {
      await this.halt();
      await this.launch(() => this.locator.locate());
    });
  }

  /** Installs the extension's own language server and runs it. */
  reinstall(): Promise<void> {
    return this.enqueue(async () => {
      await this.halt();
      await this.launch(() => this.locator.install());
    });
  }

  /** Lets the person choose the program, and runs it. */
  choose(): Promise<void> {
    return this.enqueue(async () => {
      // The changed setting restarts the server.
      await this.locator.choose();
    });
  }

  stop(): Promise<void> {
    return this.enqueue(() => this.halt());
  }

  /** Lets the server look for its backend again. */
  async reconnect(): Promise<ServerStatus | undefined> {
    const status = await this.running?.sendRequest(RestartBackendRequest, {});
    if (status) this.show(status);
    return status;
  }

  /** The server's status now, or undefined where none runs. */
  async status(): Promise<ServerStatus | undefined> {
    return this.running?.sendRequest(StatusRequest, {});
  }

  /** Tells the server that settings changed; both a server that pulls and one that waits hear it. */
  async pushSettings(): Promise<void> {
    const settings = { [SECTION]: await this.settings.forServer() };
    await this.running?.sendNotification(DidChangeConfigurationNotification.type, { settings });
  }

  dispose(): void {
    this.answered.dispose();
    void this.stop();
  }

  private enqueue(action: () => Promise<void>): Promise<void> {
    this.last = this.last.then(action).catch((error: unknown) => this.fail(error));
    return this.last;
  }

  private async launch(locate: () => Promise<Located | undefined>): Promise<void> {
    this.item.show({ state: 'starting', message: '' });
    this.located = await locate();
    if (!this.located) {
      const message = vscode.l10n.t('Run "CATO: Install Language Server", or set "cato.path".');
      this.item.show({ state: 'missing', message });
      return;
    }
    this.log.info(`starting ${this.located.command} (from ${this.located.origin})`);
    this.client = await this.createClient(this.located.command);
    await this.client.start();
  }

  private async halt(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (!client) return;
    try {
      await client.dispose(STOP_TIMEOUT_MS);
    } catch (error) {
      // A server that never came up cannot be stopped in an orderly way.
      this.log.warn(`stopping: ${String(error)}`);
    }
  }

  private fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const remedy =
      error instanceof SetupError ? error.remedy : vscode.l10n.t('See "CATO: Show Logs".');
    this.log.error(reason);
    this.item.show({ state: 'failed', message: `${reason}. ${remedy}` });
    if (error instanceof SetupError) {
      void offer('error', `CATO: ${reason}. ${remedy}`, error.commands);
    }
  }

  private async createClient(command: string): Promise<LanguageClient> {
    const run = { command, transport: TransportKind.stdio };
    const client = new LanguageClient(SECTION, 'CATO', run, await this.clientOptions());
    client.onNotification(DidChangeStatusNotification, (status) => this.show(status));
    client.onDidChangeState(({ newState }) => this.follow(client, newState));
    return client;
  }

  /** The client starts a server that died again by itself: then, too, the status is asked for. */
  private follow(client: LanguageClient, state: State): void {
    if (client !== this.client) return;
    if (state === State.Starting) this.item.show({ state: 'starting', message: '' });
    if (state === State.Running) this.refresh();
    if (state === State.Stopped) {
      const message = vscode.l10n.t('Run "CATO: Restart Language Server".');
      this.item.show({ state: 'stopped', message });
    }
  }

  private async clientOptions(): Promise<LanguageClientOptions> {
    return {
      documentSelector: SCHEMES.map((scheme) => ({ scheme })),
      outputChannel: this.log,
      // Nobody asked for a completion in so many words: what goes wrong goes to the log only.
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: await this.settings.forServer(),
      initializationFailedHandler: () => false,
      errorHandler: new QuietErrorHandler(),
      middleware: {
        executeCommand: (command, given: unknown[], next): unknown =>
          this.runCommand?.(command, given) ?? next(command, given),
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const asked = document.version;
          const answer = await next(document, position, context, token);
          if (!answer) return answer;
          this.refreshFigures();
          const items = 'items' in answer ? answer.items : answer;
          const current = document.version === asked && !token.isCancellationRequested;
          if (current) this.answered.fire({ document, position, items });
          return answer;
        },
        workspace: {
          configuration: (params) =>
            Promise.all(params.items.map((item) => this.section(item.section))),
          // `pushSettings` says it, with the token from the secret storage.
          didChangeConfiguration: () => Promise.resolve(),
        },
      },
    };
  }

  /** The figures change with every completion, and the server does not tell of each change. */
  private refreshFigures(): void {
    if (Date.now() - this.refreshedAt < REFRESH_MS) return;
    this.refreshedAt = Date.now();
    this.refresh();
  }

  private refresh(): void {
    this.status().then(
      (status) => status && this.show(status),
      (error: unknown) => this.log.warn(`status: ${String(error)}`),
    );
  }

  /** To the language server, a pause is a setting like another. */
  private show(status: ServerStatus): void {
    this.walkthrough.follow(status);
    this.tellRefusedToken(status);
    const disabled = status.state === 'disabled';
    const resting = disabled && this.settings.paused;
    this.item.show(resting ? { ...status, state: 'paused', message: '' } : status);
    // VS Code keeps what it shows, though nobody suggests it any more.
    if (disabled) void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
  }

  /** Only the person can help, so they are told, once for each backend. */
  private tellRefusedToken({ state, backendUrl }: ServerStatus): void {
    if (state !== 'unauthorized' || backendUrl === this.refusedBy) return;
    this.refusedBy = backendUrl;
    const message = vscode.l10n.t('CATO: the backend refused the token.');
    void offer('warning', message, remediesFor(state));
  }

  private async section(name: string | undefined): Promise<unknown> {
    const all: unknown = { [SECTION]: await this.settings.forServer() };
    const steps = name ? name.split('.') : [];
    return steps.reduce(
      (node, step) => (node as Record<string, unknown> | null)?.[step] ?? null,
      all,
    );
  }
}
