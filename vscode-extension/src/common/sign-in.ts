/** Signing in to a team's server: a code that the person confirms in the browser. */

import * as vscode from 'vscode';
import { FinishSignInRequest, SignInRequest, type SignInStep } from './protocol';
import type { Server } from './server';
import type { Settings } from './settings';
import { isSameBackend } from './token-store';

/** Signs in, and says how that went. */
export async function signIn(server: Server, settings: Settings): Promise<void> {
  const problem = await signedIn(server, settings);
  if (problem) {
    void vscode.window.showErrorMessage(vscode.l10n.t('CATO: not signed in: {0}', problem));
  }
}

/**
 * Shows the code, waits until it is confirmed, and keeps the token for this backend alone. Returns
 * what went wrong; nothing where all is well, or the person changed their mind.
 */
async function signedIn(server: Server, settings: Settings): Promise<string> {
  const url = settings.backendUrl;
  const client = server.running;
  const begun = await client?.sendRequest(SignInRequest, {});
  if (!client || !begun) return vscode.l10n.t('the language server is not running');
  if (begun.outcome !== 'ok') return begun.message;
  if (!(await agreed(begun))) return '';
  // Where the environment names the backend, the language server alone knows whose token it is.
  const keep = !isSameBackend(begun.backendUrl ?? '', url);
  const title = vscode.l10n.t('CATO: confirm the code {0} in the browser', begun.userCode ?? '');
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  const done = await vscode.window.withProgress(options, (_, token) =>
    client.sendRequest(FinishSignInRequest, { keep }, token),
  );
  if (done.outcome !== 'ok') return done.message;
  if (done.token) await settings.storeToken(done.token, url);
  const welcome = vscode.l10n.t('CATO: signed in as {0}.', done.person ?? '');
  void vscode.window.showInformationMessage(welcome);
  return '';
}

/** Shows the code, and opens the page if the person wants that. */
async function agreed(begun: SignInStep): Promise<boolean> {
  const open = vscode.l10n.t('Open the Page');
  const message = vscode.l10n.t('Sign in with the code {0}', begun.userCode ?? '');
  const detail = vscode.l10n.t(
    'Confirm it at {0}. Compare the codes there and here.',
    begun.verificationUri ?? '',
  );
  const pressed = await vscode.window.showInformationMessage(
    message,
    { modal: true, detail },
    open,
  );
  if (pressed !== open) return false;
  // Where no browser can be opened from here, the person pastes the code into the page.
  await vscode.env.clipboard.writeText(begun.userCode ?? '');
  await vscode.env.openExternal(vscode.Uri.parse(begun.verificationUriComplete ?? '', true));
  return true;
}
