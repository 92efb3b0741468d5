import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEnabled, withLanguage } from '../src/common/toggles';

test('a language is as it is named, else as the others are, else on', () => {
  assert.equal(isEnabled({}, 'python'), true);
  assert.equal(isEnabled({}, 'markdown'), false);
  assert.equal(isEnabled({ '*': { enabled: true } }, 'markdown'), true);
  assert.equal(isEnabled({ markdown: { enabled: true } }, 'markdown'), true);
  assert.equal(isEnabled({ '*': { enabled: false } }, 'python'), false);
  assert.equal(isEnabled({ '*': { enabled: false }, python: { enabled: true } }, 'python'), true);
  assert.equal(isEnabled({ python: { enabled: false } }, 'go'), true);
});

test('switching one language leaves the others alone', () => {
  const before = { '*': { enabled: false }, go: { enabled: true } };
  const after = withLanguage(before, 'python', true);
  assert.deepEqual(after, { ...before, python: { enabled: true } });
  assert.equal(isEnabled(withLanguage(after, 'python', false), 'python'), false);
});
