import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

type Texts = Record<string, string>;

const NOT_A_TEXT = /\b(?:l10n\.)?t\(\s*(?!['\s])/;

function texts(file: string): Texts {
  return JSON.parse(readFileSync(file, 'utf8')) as Texts;
}

function sources(): string[] {
  const names = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.ts'));
  return files.map((name) => readFileSync(`src/${name}`, 'utf8'));
}

/** All that the code says in words: `l10n.t('...')`, or `t('...')` where no editor is needed. */
function said(): Set<string> {
  const calls = sources().flatMap((source) => [...source.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)*)'/g)]);
  return new Set(calls.map(([, text = '']) => text.replaceAll("\\'", "'")));
}

function placeholders(text: string): string[] {
  return [...text.matchAll(/\{\d\}|%\w+%|\]\(command:[\w.]+\)|`[^`]*`/g)].map(String).sort();
}

function translations(folder: string, stem: string): Texts[] {
  const pattern = new RegExp(`^${stem}\\.[a-z-]+\\.json$`);
  const found = readdirSync(folder).filter((name) => pattern.test(name));
  assert.ok(found.length > 0, `no translation of ${stem}`);
  return found.map((name) => texts(`${folder}/${name}`));
}

test('the bundle holds what the code says, no more and no less', () => {
  const bundle = texts('l10n/bundle.l10n.json');
  assert.deepEqual(Object.keys(bundle).sort(), [...said()].sort());
  for (const [key, text] of Object.entries(bundle)) assert.equal(text, key);
});

test('what is translated is written out where it is said', () => {
  for (const source of sources()) assert.doesNotMatch(source, NOT_A_TEXT);
});

test('the manifest and its texts name each other', () => {
  const manifest = readFileSync('package.json', 'utf8');
  const named = [...manifest.matchAll(/"%([\w.]+)%"/g)].map(([, key = '']) => key);
  assert.deepEqual([...new Set(named)].sort(), Object.keys(texts('package.nls.json')).sort());
});

test('every translation is complete and keeps what is no language', () => {
  const pairs = [
    ['l10n', 'bundle\\.l10n', 'l10n/bundle.l10n.json'],
    ['.', 'package\\.nls', 'package.nls.json'],
  ] as const;
  for (const [folder, stem, original] of pairs) {
    for (const translation of translations(folder, stem)) {
      const english = texts(original);
      assert.deepEqual(Object.keys(translation).sort(), Object.keys(english).sort());
      for (const [key, text] of Object.entries(english)) {
        assert.deepEqual(placeholders(translation[key] ?? ''), placeholders(text), key);
      }
    }
  }
});
