/** Whether a result came into its document: no editor needed here. */

import type { TaskResult } from './protocol';

/**
 * Whether the result has edits that did not come into the document: it was changed in the meantime,
 * or the person discarded them. Servers that edit nothing say neither.
 */
export function isUnapplied(result: Pick<TaskResult, 'edits' | 'applied'>): boolean {
  return Boolean(result.edits?.length) && !result.applied;
}
