/** Which language server to run: the configured one, that on PATH, or one of our own. */

import * as vscode from 'vscode';
import { everInstalled, install, installed } from './install';
import { expandHome, findProgram, isExecutable, isPath } from './lookup';
import { manifestOf } from './manifest';
import type { Settings } from './settings';
import { SetupError } from './setup-error';

const PROGRAM = 'cato-lsp';
const ASKED = 'install.asked';

export interface Located {
  command: string;
  origin: 'cato.path' | 'PATH' | 'extension';
}

/** Finds the language server, and installs it where the person agrees. */
export class Locator {
  private readonly folder: string;
  private readonly version: string;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly settings: Settings,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.folder = context.globalStorageUri.fsPath;
    this.version = manifestOf(context).version;
  }

  /** Undefined where there is none and the person does not want one installed. Throws SetupError. */
  async locate(): Promise<Located | undefined> {
    const found = (await this.configured()) ?? (await this.onPath()) ?? (await this.own());
    if (found) return found;
    return (await this.agreed()) ? this.install() : undefined;
  }

  /** Installs our own, again if need be. Throws SetupError. */
  async install(): Promise<Located> {
    const extra = process.platform === 'linux' ? '[serve]' : '';
    const source = process.env.CATO_INSTALL_SOURCE || `${PROGRAM}${extra}==${this.version}`;
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('CATO: installing the language server'),
      cancellable: true,
    };
    const command = await vscode.window.withProgress(options, (progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort());
      const report = (message: string) => {
        this.log.info(`install: ${message}`);
        progress.report({ message });
      };
      const { folder, version } = this;
      const searchPath = process.env.PATH ?? '';
      return install({ folder, version, source, searchPath, report, signal: abort.signal });
    });
    return { command, origin: 'extension' };
  }

  private async configured(): Promise<Located | undefined> {
    const value = expandHome(this.settings.path);
    if (!value) return undefined;
    // What is wrong must be reported as such, not be replaced by another server.
    const command = isPath(value) ? value : await findProgram(value, process.env.PATH ?? '');
    if (!command || !(await isExecutable(command))) {
      throw new SetupError(`"${value}" is not a program that you may run`, 'Correct "cato.path".');
    }
    return { command, origin: 'cato.path' };
  }

  private async onPath(): Promise<Located | undefined> {
    const command = await findProgram(PROGRAM, process.env.PATH ?? '');
    return command ? { command, origin: 'PATH' } : undefined;
  }

  private async own(): Promise<Located | undefined> {
    const command = await installed(this.folder, this.version);
    return command ? { command, origin: 'extension' } : undefined;
  }

  /** Asks once in a lifetime; an earlier installation is consent to the next version. */
  private async agreed(): Promise<boolean> {
    if (await everInstalled(this.folder)) return true;
    if (this.context.globalState.get(ASKED)) return false;
    const yes = vscode.l10n.t('Install');
    const question = vscode.l10n.t(
      'CATO needs its language server, cato-lsp, which was not found. Install it into a Python environment of the extension’s own?',
    );
    const answer = await vscode.window.showInformationMessage(
      question,
      yes,
      vscode.l10n.t('Not Now'),
    );
    await this.context.globalState.update(ASKED, true);
    return answer === yes;
  }
}
