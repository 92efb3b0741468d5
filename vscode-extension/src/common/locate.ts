/** Which language server to run: the configured one, that on PATH, or one of our own. */

import * as vscode from 'vscode';
import { besideBackend } from './discovery';
import { bundledWheel, everInstalled, install, installed } from './install';
import { expandHome, findProgram, isExecutable, isPath } from './lookup';
import { manifestOf } from './manifest';
import type { Settings } from './settings';
import { SetupError } from './setup-error';

const PROGRAM = 'cato-lsp';
const ASKED = 'install.asked';
/** The folder of the package that holds the wheel. */
const WHEELS = 'server';

export interface Located {
  command: string;
  origin: 'cato.path' | 'PATH' | 'extension' | 'running backend';
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
    return found ?? (await this.beside()) ?? (await this.asked());
  }

  /** Installs our own, again if need be. Throws SetupError. */
  async install(): Promise<Located> {
    const source = await this.source();
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

  /** Lets the person choose the program; returns whether they did. The setting is changed. */
  async choose(): Promise<boolean> {
    const chosen = await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Choose the language server, cato-lsp'),
      openLabel: vscode.l10n.t('Use'),
    });
    const command = chosen?.[0]?.fsPath;
    if (command === undefined) return false;
    if (!(await isExecutable(command))) throw notExecutable(command);
    await this.settings.update('path', command);
    return true;
  }

  private async configured(): Promise<Located | undefined> {
    const value = expandHome(this.settings.path);
    if (!value) return undefined;
    // What is wrong must be reported as such, not be replaced by another server.
    const command = isPath(value) ? value : await findProgram(value, process.env.PATH ?? '');
    if (!command || !(await isExecutable(command))) throw notExecutable(value);
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

  private async beside(): Promise<Located | undefined> {
    const command = await besideBackend(this.version);
    return command ? { command, origin: 'running backend' } : undefined;
  }

  /** Asks once in a lifetime; an earlier installation is consent to the next version. */
  private async asked(): Promise<Located | undefined> {
    if (await everInstalled(this.folder)) return this.install();
    if (this.context.globalState.get(ASKED)) return undefined;
    const question = vscode.l10n.t(
      'CATO needs its language server, cato-lsp, which was not found. Install it into a Python environment of the extension’s own?',
    );
    const install = vscode.l10n.t('Install');
    const choose = vscode.l10n.t('Choose…');
    const later = vscode.l10n.t('Not Now');
    const answer = await vscode.window.showInformationMessage(question, install, choose, later);
    await this.context.globalState.update(ASKED, true);
    if (answer === install) return this.install();
    return answer === choose && (await this.choose()) ? this.configured() : undefined;
  }

  /** What pip installs, with what a backend on this machine needs. Throws SetupError. */
  private async source(): Promise<string> {
    if (process.env.CATO_INSTALL_SOURCE) return process.env.CATO_INSTALL_SOURCE;
    const folder = this.context.asAbsolutePath(WHEELS);
    const wheel = await bundledWheel(folder, this.version);
    return process.platform === 'linux' ? `${wheel}[serve]` : wheel;
  }
}

function notExecutable(value: string): SetupError {
  return new SetupError(`"${value}" is not a program that you may run`, 'Correct "cato.path".', [
    'cato.chooseServer',
    'cato.openSettings',
  ]);
}
