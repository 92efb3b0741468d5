/** What the person configured, in the shape that the language server reads. */

import * as vscode from 'vscode';
import { manifestOf } from './manifest';
import { type Nested, nest } from './nesting';
import { isEnabled, type Languages, withLanguage } from './toggles';
import { isToken, TokenStore } from './token-store';

export const SECTION = 'cato';

type Inspection = NonNullable<ReturnType<vscode.WorkspaceConfiguration['inspect']>>;

/** Settings and the token. `names` are all settings that the extension declares. */
export class Settings {
  private isPaused = false;
  private readonly pausing = new vscode.EventEmitter<void>();

  private readonly tokens: TokenStore;

  constructor(
    private readonly names: readonly string[],
    private readonly secrets: vscode.SecretStorage,
  ) {
    this.tokens = new TokenStore(secrets);
  }

  static of(context: vscode.ExtensionContext): Settings {
    const declared = manifestOf(context).contributes.configuration.properties;
    const names = Object.keys(declared).map((name) => name.slice(SECTION.length + 1));
    return new Settings(names, context.secrets);
  }

  get path(): string {
    return this.configuration().get('path', '').trim();
  }

  get completionsEnabled(): boolean {
    return this.configuration().get('completion.enabled', true);
  }

  get backendUrl(): string {
    return this.configuration().get('backend.url', '');
  }

  /** Whether completions rest in this window; nothing of it is kept when it closes. */
  get paused(): boolean {
    return this.isPaused;
  }

  set paused(paused: boolean) {
    this.isPaused = paused;
    this.pausing.fire();
  }

  languageEnabled(language: string): boolean {
    return isEnabled(this.configuration().get<Languages>('languages', {}), language);
  }

  /** `language`, if suggestions are switched off for it. */
  languageOff(language: string | undefined): string | undefined {
    return language === undefined || this.languageEnabled(language) ? undefined : language;
  }

  async toggleLanguage(language: string): Promise<void> {
    const { target, value } = this.placeOf('languages');
    const own = (value ?? {}) as Languages;
    const changed = withLanguage(own, language, !this.languageEnabled(language));
    await this.configuration().update('languages', changed, target);
  }

  /**
   * Only what somebody set: defaults are the language server's, and an environment variable
   * must be able to stand in for what is not set. A token in the secret storage wins, where it is for
   * the backend of the settings.
   */
  async forServer(): Promise<Nested> {
    const configuration = this.configuration();
    const token = await this.tokens.get(this.backendUrl);
    const entries = this.names
      .filter((name) => name !== 'path')
      .map((name) => [name, explicitValue(configuration, name)] as const);
    return nest([
      ...entries,
      ['backend.token', token ?? explicitValue(configuration, 'backend.token')],
      ['completion.enabled', this.paused ? false : undefined],
    ]);
  }

  /** Stores the token for the backend at `url`, or with an empty one forgets it. */
  async storeToken(token: string, url = this.backendUrl): Promise<void> {
    await this.tokens.set(url, token);
  }

  async hasToken(): Promise<boolean> {
    const inSettings = this.configuration().get<string>('backend.token', '') !== '';
    return inSettings || (await this.tokens.get(this.backendUrl)) !== undefined;
  }

  /** Writes where the value is set now, so that the change takes effect. */
  async update(name: string, value: unknown): Promise<void> {
    await this.configuration().update(name, value, this.placeOf(name).target);
  }

  /** Calls `listener` when something changes that the running language server should hear of. */
  onDidChange(listener: () => void): vscode.Disposable {
    return vscode.Disposable.from(
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration(SECTION)) listener();
      }),
      this.pausing.event(listener),
      this.secrets.onDidChange((change) => {
        if (isToken(change.key)) listener();
      }),
    );
  }

  /** Where `name` is set now, the person's own settings if nowhere, and to what there. */
  private placeOf(name: string): { target: vscode.ConfigurationTarget; value: unknown } {
    const found = this.configuration().inspect(name);
    return found?.workspaceValue !== undefined
      ? { target: vscode.ConfigurationTarget.Workspace, value: found.workspaceValue }
      : { target: vscode.ConfigurationTarget.Global, value: found?.globalValue };
  }

  private configuration(): vscode.WorkspaceConfiguration {
    return vscode.workspace.getConfiguration(SECTION);
  }
}

function explicitValue(configuration: vscode.WorkspaceConfiguration, name: string): unknown {
  const found = configuration.inspect(name);
  return found && isSet(found) ? configuration.get(name) : undefined;
}

function isSet(found: Inspection): boolean {
  return (
    found.globalValue !== undefined ||
    found.workspaceValue !== undefined ||
    found.workspaceFolderValue !== undefined
  );
}
