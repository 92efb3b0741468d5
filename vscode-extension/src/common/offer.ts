/** A suggestion, and what edits leave of it: no editor needed here. */

export interface Place {
  line: number;
  character: number;
}

/** A change of the document: at `place`, `replaced` UTF-16 units became `text`. */
export interface Edit {
  place: Place;
  replaced: number;
  text: string;
}

interface Candidate<Item> {
  item: Item;
  /** What of the item stands in the document, in UTF-16 units. */
  taken: number;
  rest: string;
}

/** The candidates that were answered for one place; the first of them is shown. */
export class Offer<Item> {
  private constructor(
    private readonly place: Place,
    private readonly candidates: readonly Candidate<Item>[],
  ) {}

  /** `typed` is what of each text stands in front of `place` already. */
  static at<Item>(
    place: Place,
    answered: readonly { item: Item; text: string; typed: string }[],
  ): Offer<Item> {
    const fitting = answered.filter(({ text, typed }) => text.startsWith(typed));
    return new Offer(
      place,
      fitting.map(({ item, text, typed }) => ({
        item,
        taken: typed.length,
        rest: text.slice(typed.length),
      })),
    );
  }

  /** What is shown, and how much of it is taken; undefined where all of it is, or none is left. */
  get shown(): { item: Item; taken: number } | undefined {
    const [first] = this.candidates;
    return first?.rest ? { item: first.item, taken: first.taken } : undefined;
  }

  /** Those candidates that go on with what `edit` put at the cursor, less that. */
  after({ place, replaced, text }: Edit): Offer<Item> {
    const inserted = text.replaceAll('\r\n', '\n');
    const here = place.line === this.place.line && place.character === this.place.character;
    const agreeing =
      here && replaced === 0 ? this.candidates.filter(({ rest }) => rest.startsWith(inserted)) : [];
    return new Offer(
      behind(place, inserted),
      agreeing.map(({ item, taken, rest }) => ({
        item,
        taken: taken + inserted.length,
        rest: rest.slice(inserted.length),
      })),
    );
  }
}

function behind({ line, character }: Place, text: string): Place {
  const lines = text.split('\n');
  const last = lines.at(-1) ?? '';
  return lines.length === 1
    ? { line, character: character + last.length }
    : { line: line + lines.length - 1, character: last.length };
}
