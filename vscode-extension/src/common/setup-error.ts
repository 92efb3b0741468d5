/**
 * Why there is no language server to start; `remedy` says what the person can do, and `commands`
 * do it, the likeliest first.
 */
export class SetupError extends Error {
  constructor(
    message: string,
    readonly remedy: string,
    readonly commands: readonly string[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
