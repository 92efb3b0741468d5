/** Tokens in the editor's secret storage, each for one backend: no editor needed here. */

const SECRET = 'cato.backend.token';

/** The part of VS Code's secret storage that is needed. */
export interface Secrets {
  get(key: string): Thenable<string | undefined>;
  store(key: string, value: string): Thenable<void>;
  delete(key: string): Thenable<void>;
}

/** A token is kept under the address that it is for, and given for no other one. */
export class TokenStore {
  constructor(private readonly secrets: Secrets) {}

  /** The token for the backend at `url`; an empty one stands for a backend of this machine. */
  get(url: string): Thenable<string | undefined> {
    return this.secrets.get(keyOf(url));
  }

  /** Keeps the token, or with an empty one forgets it. */
  set(url: string, token: string): Thenable<void> {
    return token ? this.secrets.store(keyOf(url), token) : this.secrets.delete(keyOf(url));
  }
}

/** Whether a changed secret is a token of a backend. */
export function isToken(key: string): boolean {
  return key === SECRET || key.startsWith(`${SECRET} `);
}

/** Whether two URLs name one backend. */
export function isSameBackend(url: string, other: string): boolean {
  return keyOf(url) === keyOf(other);
}

function keyOf(url: string): string {
  const address = url.trim().replace(/\/+$/, '');
  return address ? `${SECRET} ${address}` : SECRET;
}
