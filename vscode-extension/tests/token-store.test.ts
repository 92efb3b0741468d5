import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameBackend, isToken, TokenStore } from '../src/common/token-store';

/** What VS Code would keep. */
class Kept {
  readonly values = new Map<string, string>();
  get = (key: string) => Promise.resolve(this.values.get(key));
  store = (key: string, value: string) => Promise.resolve(void this.values.set(key, value));
  delete = (key: string) => Promise.resolve(void this.values.delete(key));
}

test('a token is given for the address that it was kept for, and for no other one', async () => {
  const kept = new Kept();
  const tokens = new TokenStore(kept);
  await tokens.set('https://gpu.example.org:8700', 'ours');
  assert.equal(await tokens.get('https://gpu.example.org:8700/'), 'ours');
  for (const other of ['', 'https://gpu.example.org', 'http://gpu.example.org:8700']) {
    assert.equal(await tokens.get(other), undefined);
  }
  assert.ok([...kept.values.keys()].every(isToken));
  await tokens.set('https://gpu.example.org:8700', '');
  assert.equal(await tokens.get('https://gpu.example.org:8700'), undefined);
});

test('a token without an address is for the backend of this machine', async () => {
  const tokens = new TokenStore(new Kept());
  await tokens.set('', 'own');
  assert.equal(await tokens.get(''), 'own');
  assert.equal(await tokens.get('https://evil.example'), undefined);
  assert.ok(!isToken('cato.backend.tokens'));
});

test('a backend is the same however its address ends, and no other one', () => {
  assert.ok(isSameBackend('https://gpu.example.org:8700', ' https://gpu.example.org:8700/'));
  assert.ok(!isSameBackend('https://gpu.example.org:8700', ''));
  assert.ok(!isSameBackend('https://gpu.example.org:8700', 'https://gpu.example.org'));
});
