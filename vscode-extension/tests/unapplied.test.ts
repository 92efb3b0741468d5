import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUnapplied } from '../src/common/unapplied';

const start = { line: 0, character: 0 };
const edits = [{ version: 1, range: { start, end: start }, newText: 'x' }];

test('edits that were not applied are told', () => {
  assert.equal(isUnapplied({ edits, applied: false }), true);
  assert.equal(isUnapplied({ edits }), true);
});

test('edits that were applied, and results without any, are not', () => {
  assert.equal(isUnapplied({ edits, applied: true }), false);
  assert.equal(isUnapplied({ edits: [], applied: false }), false);
  assert.equal(isUnapplied({}), false);
});
