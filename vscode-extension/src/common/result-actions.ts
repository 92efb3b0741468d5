/** The buttons of a result: their words and their commands. */

import * as vscode from 'vscode';
import { type Action, actionsFor, type Shown } from './shown';

export interface Button {
  label: string;
  command: string;
}

/** All commands that a button may have. */
export const BUTTON_COMMANDS: readonly string[] = [
  'cato.cancelTask',
  'cato.insertDocumentation',
  'cato.applyResult',
  'cato.insertResult',
  'cato.replaceWithResult',
  'cato.copyResult',
  'cato.saveResult',
];

/** The buttons of `shown` as it is now. */
export function buttonsFor(shown: Shown): Button[] {
  return actionsFor(shown).map(button);
}

/** What is to be said of how a task is; empty once it has ended well. */
export function noteOn({ state }: Shown): string {
  switch (state) {
    case 'running':
      return vscode.l10n.t('running');
    case 'cancelled':
      return vscode.l10n.t('cancelled: the text is incomplete');
    case 'failed':
      return vscode.l10n.t('failed: the text is incomplete');
    case 'ok':
      return '';
  }
}

function button(action: Action): Button {
  switch (action) {
    case 'cancel':
      return { label: vscode.l10n.t('Cancel'), command: 'cato.cancelTask' };
    case 'document':
      return {
        label: vscode.l10n.t('Insert as Documentation'),
        command: 'cato.insertDocumentation',
      };
    case 'apply':
      return { label: vscode.l10n.t('Apply'), command: 'cato.applyResult' };
    case 'insert':
      return { label: vscode.l10n.t('Insert at Cursor'), command: 'cato.insertResult' };
    case 'replace':
      return { label: vscode.l10n.t('Replace Selection'), command: 'cato.replaceWithResult' };
    case 'copy':
      return { label: vscode.l10n.t('Copy'), command: 'cato.copyResult' };
    case 'save':
      return { label: vscode.l10n.t('Save As…'), command: 'cato.saveResult' };
  }
}
