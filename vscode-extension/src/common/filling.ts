/** The text of a task that comes into a display: no editor needed here. */

import type { TaskDelta, TaskResult } from './protocol';
import type { Results } from './results';
import type { Shown } from './shown';
import type { TaskRun } from './task-run';

/** The text of a task as it comes, and its display once there is any. */
export class Filling {
  /** What the result is called. */
  title = '';
  private text: TaskDelta = { delta: '' };
  private opening: Promise<Shown | undefined> | undefined;
  private shown: Shown | undefined;

  constructor(
    private readonly results: Pick<Results, 'open' | 'add' | 'end'>,
    private readonly run: Pick<TaskRun, 'about' | 'title' | 'languageId'>,
    private readonly cancel: () => void,
  ) {}

  /** Takes one more piece; returns the last line where there is no display to read it in. */
  take(piece: TaskDelta): string {
    if (this.shown) {
      this.results.add(this.shown, piece);
      return '';
    }
    this.text = { delta: piece.restart ? piece.delta : this.text.delta + piece.delta };
    const { languageId } = this.run;
    if (languageId === undefined) return lastLine(this.text.delta);
    if (this.text.delta.trim()) this.opening ??= this.open(languageId);
    return '';
  }

  /** Ends the display, if there is one that could be opened, and returns it. */
  async end(result: TaskResult): Promise<Shown | undefined> {
    const shown = await this.opening;
    if (shown) this.results.end(shown, result);
    return shown;
  }

  private async open(languageId: string): Promise<Shown | undefined> {
    const { about, title } = this.run;
    const start = { about: about.toString(), title: this.title || title, languageId };
    const text = this.text.delta;
    let shown: Shown;
    try {
      shown = await this.results.open({ ...start, text, cancel: this.cancel });
    } catch {
      // The result is not lost with its display: it is shown once it is whole.
      return undefined;
    }
    // What came while it opened.
    this.results.add(shown, { ...this.text, restart: true });
    this.shown = shown;
    return shown;
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 80) ?? '';
}
