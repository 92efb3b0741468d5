import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Filling } from '../src/common/filling';
import type { TaskResult } from '../src/common/protocol';
import { type Shown, sourceOf } from '../src/common/shown';

const RUN = { title: 'working', about: { toString: () => 'file:///a.py' }, languageId: 'python' };
const RESULT = { outcome: 'ok', title: 'tests', text: 'a\nb\n' } as TaskResult;

function fillingOf(open: (start: object) => Promise<Shown>): { filling: Filling; said: string[] } {
  const said: string[] = [];
  const results = {
    open,
    add: (shown: Shown, { delta, restart }: { delta: string; restart?: boolean }) => {
      shown.text = restart ? delta : shown.text + delta;
    },
    end: (shown: Shown, { title }: TaskResult) => said.push(`${title}: ${shown.text}`),
  };
  const run = RUN as unknown as ConstructorParameters<typeof Filling>[1];
  return { filling: new Filling(results, run, () => undefined), said };
}

test('what comes while the display opens is in it', async () => {
  let opened: (shown: Shown) => void = () => undefined;
  const { filling, said } = fillingOf(() => new Promise((resolve) => (opened = resolve)));
  filling.take({ delta: 'a\n' });
  filling.take({ delta: 'b\n' });
  opened({ text: 'a\n' } as Shown);
  assert.notEqual(await filling.end(RESULT), undefined);
  assert.deepEqual(said, ['tests: a\nb\n']);
});

test('a display that cannot be opened does not lose the result', async () => {
  const { filling, said } = fillingOf(() => Promise.reject(new Error('no column')));
  filling.take({ delta: 'a\n' });
  filling.take({ delta: 'b\n' });
  assert.equal(await filling.end(RESULT), undefined);
  assert.deepEqual(said, []);
});

test('edits are for the text that had their version, whatever the version is later', () => {
  const at = (version: number, text: string): object => ({
    uri: { toString: () => 'file:///a.py' },
    version,
    getText: () => text,
  });
  const edit = { version: 3, range: {} as never, newText: '' };
  const of = (result: object, ...open: object[]): string | undefined =>
    sourceOf(result as TaskResult, 'file:///a.py', open as never);
  assert.equal(of({ edits: [edit] }, at(3, 'x = 1')), 'x = 1');
  assert.equal(of({ documentation: edit }, at(3, 'x = 1')), 'x = 1');
  assert.equal(of({ edits: [edit] }, at(4, 'x = 12')), undefined);
  assert.equal(of({ edits: [edit] }), undefined);
  assert.equal(of({}, at(3, 'x = 1')), undefined);
});
