import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Offer } from '../src/common/offer';

const here = { line: 3, character: 4 };

function offer(...texts: string[]): Offer<string> {
  return Offer.at(
    here,
    texts.map((text) => ({ item: text, text, typed: '' })),
  );
}

function insert(text: string, place = here) {
  return { place, replaced: 0, text };
}

test('what is inserted of it is taken, over line ends of either kind', () => {
  const first = offer('if x:\n    return y').after(insert('if x:\r\n'));
  assert.deepEqual(first.shown, { item: 'if x:\n    return y', taken: 6 });
  const second = first.after(insert('    return', { line: 4, character: 0 }));
  assert.equal(second.shown?.taken, 16);
});

test('what stands there already counts as taken', () => {
  const answered = [{ item: 1, text: 'value + 1', typed: 'val' }];
  assert.deepEqual(Offer.at(here, answered).after(insert('ue')).shown, { item: 1, taken: 5 });
  assert.equal(Offer.at(here, [{ item: 1, text: 'other', typed: 'val' }]).shown, undefined);
});

test('nothing is shown of what is taken whole', () => {
  assert.equal(offer('x = 1').after(insert('x = 1')).shown, undefined);
});

test('an edit of something else ends it', () => {
  assert.equal(offer('x = 1').after(insert('y')).shown, undefined);
  assert.equal(offer('x = 1').after(insert('x', { line: 3, character: 5 })).shown, undefined);
  assert.equal(offer('x = 1').after({ place: here, replaced: 1, text: 'x' }).shown, undefined);
});

test('of several candidates it is the one that goes on as the text does', () => {
  assert.equal(offer('a + b', 'c + d').after(insert('c')).shown?.item, 'c + d');
  assert.equal(offer('a + b', 'c + d').after(insert('a')).shown?.item, 'a + b');
});
