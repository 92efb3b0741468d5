/** The one status item. */

import * as vscode from 'vscode';
import { details, type Presentation, present, type Status } from './presentation';
import type { Settings } from './settings';

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly following: vscode.Disposable;
  private shown: Status = { state: 'stopped', message: '' };

  constructor(
    command: string,
    private readonly settings: Settings,
  ) {
    this.item = vscode.window.createStatusBarItem(
      'cato.status',
      vscode.StatusBarAlignment.Right,
      100,
    );
    this.item.name = 'CATO';
    this.item.command = command;
    this.item.show();
    const render = (): void => this.render();
    this.following = vscode.Disposable.from(
      vscode.window.onDidChangeActiveTextEditor(render),
      settings.onDidChange(render),
    );
  }

  get status(): Status {
    return this.shown;
  }

  show(status: Status): void {
    this.shown = status;
    this.render();
  }

  dispose(): void {
    this.following.dispose();
    this.item.dispose();
  }

  private render(): void {
    const off = this.settings.languageOff(vscode.window.activeTextEditor?.document.languageId);
    const { text, label, severity } = present(this.shown, vscode.l10n.t, off);
    this.item.text = text;
    this.item.tooltip = [`CATO: ${label}`, ...details(this.shown, vscode.l10n.t)].join('\n');
    this.item.accessibilityInformation = { label: `CATO: ${label}` };
    this.item.backgroundColor = background(severity);
  }
}

function background(severity: Presentation['severity']): vscode.ThemeColor | undefined {
  return severity === 'normal'
    ? undefined
    : new vscode.ThemeColor(`statusBarItem.${severity}Background`);
}
