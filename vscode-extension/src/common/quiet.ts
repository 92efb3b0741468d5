/** What happens when the language server dies. */

import { CloseAction, ErrorAction, type ErrorHandler } from 'vscode-languageclient/node';

/** Restarts a server that ended a few times, then leaves it to the person, without a pop-up. */
export class QuietErrorHandler implements ErrorHandler {
  private readonly ends: number[] = [];

  error(_error: Error, _message: unknown, count: number | undefined) {
    const action = count !== undefined && count <= 3 ? ErrorAction.Continue : ErrorAction.Shutdown;
    return { action, handled: true };
  }

  closed() {
    const now = Date.now();
    this.ends.push(now);
    const recent = this.ends.filter((end) => now - end < 3 * 60_000).length;
    return { action: recent <= 4 ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true };
  }
}
