/** The setting `cato.languages`: no editor needed here. */

export type Languages = Readonly<Record<string, { enabled?: boolean }>>;

/** Languages in which nothing is suggested unasked unless they are switched on. */
const QUIET = new Set(['markdown', 'plaintext', 'json', 'jsonc']);

/** Whether suggestions are wanted in `language`; `*` stands for those that are not named. */
export function isEnabled(languages: Languages, language: string): boolean {
  return languages[language]?.enabled ?? languages['*']?.enabled ?? !QUIET.has(language);
}

/** `languages` with `language` switched on or off. */
export function withLanguage(languages: Languages, language: string, enabled: boolean): Languages {
  return { ...languages, [language]: { ...languages[language], enabled } };
}
