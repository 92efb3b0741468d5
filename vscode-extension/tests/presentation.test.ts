import assert from 'node:assert/strict';
import { test } from 'node:test';
import { details, formatDuration, present } from '../src/common/presentation';

const ready = {
  state: 'ready',
  message: '',
  backendUrl: 'http://127.0.0.1:8700',
  latencyMs: 123.4,
  load: 0.256,
  logPath: null,
} as const;

test('a ready server shows its latency and no alarm', () => {
  assert.deepEqual(present(ready), {
    text: '$(check) CATO 123 ms',
    label: 'ready',
    severity: 'normal',
  });
  assert.deepEqual(details(ready), [
    'Backend: http://127.0.0.1:8700',
    'Latency: 123 ms',
    'Load: 26%',
  ]);
});

test('no latency yet, no figure', () => {
  const status = { ...ready, latencyMs: null, load: null };
  assert.equal(present(status).text, '$(check) CATO');
  assert.deepEqual(details(status), ['Backend: http://127.0.0.1:8700']);
});

test('a backend that is away is a warning that carries the remedy', () => {
  const status = {
    ...ready,
    state: 'unreachable',
    message: 'Start it: cato serve',
    latencyMs: null,
  } as const;
  assert.equal(present(status).severity, 'warning');
  assert.equal(details(status)[0], 'Start it: cato serve');
});

test('states without a server need no server fields', () => {
  const status = { state: 'failed', message: 'why' } as const;
  assert.equal(present(status).severity, 'error');
  assert.deepEqual(details(status), ['why']);
});

test('durations are read at a glance', () => {
  assert.equal(formatDuration(87.4), '87 ms');
  assert.equal(formatDuration(1240), '1.2 s');
});
