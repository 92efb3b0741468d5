import assert from 'node:assert/strict';
import { test } from 'node:test';
import { details, formatDuration, present } from '../src/common/presentation';

function english(message: string, ...values: (string | number)[]): string {
  return message.replace(/\{(\d)\}/g, (_, number: string) => String(values[Number(number)]));
}

const ready = {
  state: 'ready',
  message: 'ready',
  backendUrl: 'http://127.0.0.1:8700',
  latencyMs: 123.4,
  load: 0.256,
  logPath: null,
  acceptance: 0.336,
  tokensSaved: 12_345,
} as const;

test('a ready server shows its latency and no alarm', () => {
  assert.deepEqual(present(ready, english), {
    text: '$(check) CATO 123 ms',
    label: 'ready',
    severity: 'normal',
  });
  assert.deepEqual(details(ready, english), [
    'Backend: http://127.0.0.1:8700',
    'Latency: 123 ms',
    'Load: 26%',
    'Accepted: 34%',
    `Tokens saved: ${(12_345).toLocaleString()}`,
  ]);
});

test('no latency yet, no figure', () => {
  const status = { ...ready, latencyMs: null, load: null, acceptance: null, tokensSaved: null };
  assert.equal(present(status, english).text, '$(check) CATO');
  assert.deepEqual(details(status, english), ['Backend: http://127.0.0.1:8700']);
});

test('a backend that is away is a warning that carries the remedy', () => {
  const status = {
    ...ready,
    state: 'unreachable',
    message: 'Start it: cato serve',
    latencyMs: null,
  } as const;
  assert.equal(present(status, english).severity, 'warning');
  assert.equal(details(status, english)[0], 'Start it: cato serve');
});

test('states without a server need no server fields', () => {
  const status = { state: 'failed', message: 'why' } as const;
  assert.equal(present(status, english).severity, 'error');
  assert.deepEqual(details(status, english), ['why']);
});

test('a language server that knows no such figures is shown without them', () => {
  const older = { ...ready, acceptance: undefined, tokensSaved: undefined };
  assert.equal(details(older as unknown as typeof ready, english).at(-1), 'Load: 26%');
});

test('durations are read at a glance', () => {
  assert.equal(formatDuration(87.4), '87 ms');
  assert.equal(formatDuration(1240), '1.2 s');
});
