/** A result on display, from its first piece of text on: no editor needed here. */

import type { TaskDelta, TaskResult } from './protocol';

export interface Shown {
  readonly id: number;
  /** The URI of the document that it is about. */
  readonly about: string;
  title: string;
  languageId: string;
  text: string;
  state: 'running' | TaskResult['outcome'];
  /** Once the task has ended well. */
  result: TaskResult | undefined;
  /** The text that the edits of the result are for; undefined where it had changed by then. */
  source: string | undefined;
  /** Ends the task. */
  readonly cancel: () => void;
}

/** What a person can do with a result. */
export type Action = 'cancel' | 'document' | 'apply' | 'insert' | 'replace' | 'copy' | 'save';

/** The text after one more piece; a piece that restarts takes the place of all before it. */
export function joined(text: string, { delta, restart }: TaskDelta): string {
  return restart ? delta : text + delta;
}

/** What can be done with `shown` now, the likeliest first. */
export function actionsFor(
  shown: Pick<Shown, 'state' | 'languageId'> & { result: Ends | undefined },
): Action[] {
  const { state, languageId, result } = shown;
  if (state === 'running') return ['cancel'];
  return [...intoCode(state === 'ok' ? result : undefined, languageId), 'copy', 'save'];
}

type Ends = Pick<TaskResult, 'documentation' | 'edits' | 'applied'>;

/** Code that was cut short by a failure or by the person is copied, if at all. */
function intoCode(result: Ends | undefined, languageId: string): Action[] {
  if (!result) return [];
  if (result.documentation) return ['document'];
  if (result.edits?.length) return result.applied ? [] : ['apply'];
  return languageId === 'markdown' ? [] : ['insert', 'replace'];
}

/** A document as an editor has it open. */
interface OpenDocument {
  readonly uri: { toString(): string };
  readonly version: number;
  getText(): string;
}

/**
 * The text that the edits of a result are for: that of the open document `about`, if it still has
 * their version. Versions begin again when a document is closed and opened, and tell nothing later.
 */
export function sourceOf(
  { edits, documentation }: Pick<TaskResult, 'edits' | 'documentation'>,
  about: string,
  open: readonly OpenDocument[],
): string | undefined {
  const versions = [...(edits ?? []), ...(documentation ? [documentation] : [])];
  const document = open.find(({ uri }) => uri.toString() === about);
  const isSame = versions.every(({ version }) => version === document?.version);
  return versions.length && isSame ? document?.getText() : undefined;
}

/** Calls `run` soon after it was asked for, once for all that was asked meanwhile. */
export function soon(run: () => void, afterMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      run();
    }, afterMs);
  };
}
