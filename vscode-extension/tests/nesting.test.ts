import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nest } from '../src/common/nesting';

test('dotted names share their parents', () => {
  const nested = nest([
    ['backend.url', 'http://a'],
    ['backend.token', 't'],
    ['tasks.completion.ttftMs', 250],
    ['trace', 'off'],
  ]);
  assert.deepEqual(nested, {
    backend: { url: 'http://a', token: 't' },
    tasks: { completion: { ttftMs: 250 } },
    trace: 'off',
  });
});

test('what is not set is not sent, but false and 0 are', () => {
  const nested = nest([
    ['backend.url', undefined],
    ['backend.autostart', false],
    ['completion.debounceMs', 0],
  ]);
  assert.deepEqual(nested, { backend: { autostart: false }, completion: { debounceMs: 0 } });
});

test('a later entry wins', () => {
  assert.deepEqual(
    nest([
      ['backend.token', 'in settings'],
      ['backend.token', 'in the secret storage'],
    ]),
    { backend: { token: 'in the secret storage' } },
  );
});
