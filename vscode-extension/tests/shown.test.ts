import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { actionsFor, joined, soon } from '../src/common/shown';

const place = { line: 0, character: 0 };
const edit = { version: 1, range: { start: place, end: place }, newText: 'x' };
const plain = { documentation: null };

test('a result that restarts takes the place of what had come', () => {
  assert.equal(joined('a', { delta: 'b' }), 'ab');
  assert.equal(joined('a', { delta: 'b', restart: true }), 'b');
});

test('while a task runs it can only be cancelled', () => {
  const running = { state: 'running', languageId: 'go', result: undefined } as const;
  assert.deepEqual(actionsFor(running), ['cancel']);
});

test('what a result can be used for depends on what it is', () => {
  const ok = { state: 'ok', languageId: 'markdown' } as const;
  const actions = (result: Parameters<typeof actionsFor>[0]['result'], languageId = 'markdown') =>
    actionsFor({ ...ok, languageId, result });
  assert.deepEqual(actions(plain), ['copy', 'save']);
  assert.deepEqual(actions({ documentation: edit }), ['document', 'copy', 'save']);
  assert.deepEqual(actions({ ...plain, edits: [edit], applied: false }, 'go'), [
    'apply',
    'copy',
    'save',
  ]);
  assert.deepEqual(actions({ ...plain, edits: [edit], applied: true }, 'go'), ['copy', 'save']);
  assert.deepEqual(actions(plain, 'go'), ['insert', 'replace', 'copy', 'save']);
});

test('the output of a task that was cancelled or failed is not inserted', () => {
  for (const state of ['cancelled', 'failed'] as const) {
    assert.deepEqual(actionsFor({ state, languageId: 'go', result: plain }), ['copy', 'save']);
  }
});

test('what is asked for several times is done once, and again when it is asked for later', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let runs = 0;
  const ask = soon(() => (runs += 1), 100);
  ask();
  ask();
  assert.equal(runs, 0);
  mock.timers.tick(100);
  assert.equal(runs, 1);
  ask();
  mock.timers.tick(100);
  assert.equal(runs, 2);
  mock.timers.reset();
});
