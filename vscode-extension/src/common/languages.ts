/** The languages that a function can be translated to. */

import * as vscode from 'vscode';

export interface Language {
  id: string;
  name: string;
}

const LANGUAGES: readonly Language[] = [
  { id: 'python', name: 'Python' },
  { id: 'javascript', name: 'JavaScript' },
  { id: 'typescript', name: 'TypeScript' },
  { id: 'java', name: 'Java' },
  { id: 'go', name: 'Go' },
  { id: 'rust', name: 'Rust' },
  { id: 'c', name: 'C' },
  { id: 'cpp', name: 'C++' },
  { id: 'csharp', name: 'C#' },
  { id: 'ruby', name: 'Ruby' },
  { id: 'php', name: 'PHP' },
];
const LAST = 'translate.last';

/** The language that the person picks, that of last time first; undefined if they think better of it. */
export async function chooseTarget(
  source: string,
  memory: vscode.Memento,
): Promise<Language | undefined> {
  const last = memory.get<string>(LAST);
  const others = LANGUAGES.filter((language) => language.id !== source);
  const ordered = [...others].sort((a, b) => Number(b.id === last) - Number(a.id === last));
  const items = ordered.map((language) => ({ label: language.name, language }));
  const placeHolder = vscode.l10n.t('Translate the function under the cursor to…');
  const picked = await vscode.window.showQuickPick(items, { placeHolder });
  if (picked) await memory.update(LAST, picked.language.id);
  return picked?.language;
}
