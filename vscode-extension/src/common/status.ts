/** The one status item. */

import * as vscode from 'vscode';
import { details, type Presentation, present, type Status } from './presentation';

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private shown: Status = { state: 'stopped', message: '' };

  constructor(command: string) {
    this.item = vscode.window.createStatusBarItem(
      'cato.status',
      vscode.StatusBarAlignment.Right,
      100,
    );
    this.item.name = 'CATO';
    this.item.command = command;
    this.item.show();
  }

  get status(): Status {
    return this.shown;
  }

  show(status: Status): void {
    this.shown = status;
    const { text, label, severity } = present(status, vscode.l10n.t);
    this.item.text = text;
    this.item.tooltip = [`CATO: ${label}`, ...details(status, vscode.l10n.t)].join('\n');
    this.item.accessibilityInformation = { label: `CATO: ${label}` };
    this.item.backgroundColor = background(severity);
  }

  dispose(): void {
    this.item.dispose();
  }
}

function background(severity: Presentation['severity']): vscode.ThemeColor | undefined {
  return severity === 'normal'
    ? undefined
    : new vscode.ThemeColor(`statusBarItem.${severity}Background`);
}
