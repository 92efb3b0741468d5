/** Why there is no language server to start; `remedy` says what the person can do. */
export class SetupError extends Error {
  constructor(
    message: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
