import assert from 'node:assert/strict';
import { test } from 'node:test';
import { details, formatCount, formatDuration, present } from '../src/common/presentation';

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
  acceptedCharacters: 12_345,
  model: 'Qwen2.5-Coder-7B',
  modelParameters: 7_000_000_000,
  modelAdvice: '',
} as const;

test('a ready server shows its latency and no alarm', () => {
  assert.deepEqual(present(ready, english), {
    text: '$(check) CATO 123 ms',
    label: 'ready',
    severity: 'normal',
  });
  assert.deepEqual(details(ready, english), [
    'Backend: http://127.0.0.1:8700',
    'Model: Qwen2.5-Coder-7B (7B parameters)',
    'Latency: 123 ms',
    'Load: 26%',
    'Accepted: 34%',
    `Not typed: ${(12_345).toLocaleString()} characters`,
  ]);
});

test('the latest request has an id to ask the server about', () => {
  assert.equal(
    details({ ...ready, lastRequestId: 'r-17' }, english).at(-1),
    'Latest request: r-17',
  );
  assert.ok(
    !details({ ...ready, lastRequestId: null }, english)
      .join()
      .includes('Latest'),
  );
});

test('no latency yet, no figure', () => {
  const unknown = { latencyMs: null, load: null, acceptance: null, acceptedCharacters: 0 };
  const status = { ...ready, ...unknown, model: null };
  assert.equal(present(status, english).text, '$(check) CATO');
  assert.deepEqual(details(status, english), ['Backend: http://127.0.0.1:8700']);
});

test('a backend that is away is a warning that carries the remedy', () => {
  const status = {
    ...ready,
    state: 'unreachable',
    message: 'Start it: cato serve',
  } as const;
  assert.equal(present(status, english).severity, 'warning');
  assert.equal(details(status, english)[0], 'Start it: cato serve');
});

test('no latency, load and model are shown beside a broken connection', () => {
  for (const state of ['unreachable', 'unauthorized', 'starting'] as const) {
    const status = { ...ready, state };
    assert.doesNotMatch(present(status, english).text, /ms/);
    assert.doesNotMatch(details(status, english).join(), /Latency|Load|Model/);
  }
});

test('a language that is switched off has no tick', () => {
  assert.deepEqual(present(ready, english, 'markdown'), {
    text: '$(circle-slash) CATO',
    label: 'off for markdown',
    severity: 'normal',
  });
  const away = { ...ready, state: 'unreachable' } as const;
  assert.equal(present(away, english, 'markdown').label, 'no backend');
});

test('how to get a better model is said last', () => {
  const small = { ...ready, modelParameters: 5_046_272, modelAdvice: 'serve a larger one' };
  assert.ok(details(small, english).includes('Model: Qwen2.5-Coder-7B (5M parameters)'));
  assert.equal(details(small, english).at(-1), 'serve a larger one');
  assert.equal(formatCount(1_540_000_000), '1.5B');
});

test('states without a server need no server fields', () => {
  const status = { state: 'failed', message: 'why' } as const;
  assert.equal(present(status, english).severity, 'error');
  assert.deepEqual(details(status, english), ['why']);
});

test('a language server that knows no such figures is shown without them', () => {
  const { state, message, backendUrl, latencyMs, load, logPath } = ready;
  const older = { state, message, backendUrl, latencyMs, load, logPath };
  assert.equal(details(older as unknown as typeof ready, english).at(-1), 'Load: 26%');
});

test('durations are read at a glance', () => {
  assert.equal(formatDuration(87.4), '87 ms');
  assert.equal(formatDuration(1240), '1.2 s');
});
