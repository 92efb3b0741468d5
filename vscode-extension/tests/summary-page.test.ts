import assert from 'node:assert/strict';
import { test } from 'node:test';
import { content, page, rendered } from '../src/common/summary-page';

test('a page has a button for each command, and says how the task is', () => {
  const links = [{ label: 'Copy <all>', command: 'cato.copyResult', argument: 7 }];
  const { nav, heading, body } = content('summary of "f" <T>', 'running', '<p>Adds.</p>', links);
  assert.match(nav, /href="command:cato\.copyResult\?%5B7%5D">Copy &lt;all&gt;</);
  assert.equal(heading, 'summary of &quot;f&quot; &lt;T&gt; <small>(running)</small>');
  assert.equal(body, '<p>Adds.</p>');
  assert.equal(content('f', '', '', links).heading, 'f');
});

test('nothing but the script of the page runs, and nothing is loaded', () => {
  const html = page('abc');
  assert.match(html, /default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-abc'"/);
  assert.equal(html.match(/<script/g)?.length, 1);
});

test('HTML in what a model writes is shown as text', () => {
  const html = rendered('Adds `a < b`.\n\n<style>nav { display: none }</style> <b>x</b>\n');
  assert.match(html, /<code>a &lt; b<\/code>/);
  assert.match(html, /&lt;style&gt;.*&lt;b&gt;x&lt;\/b&gt;/);
  assert.doesNotMatch(html, /<style|<b>/);
});

test('links of a model lead to web pages only, never to commands', () => {
  const html = rendered('[run](command:cato.applyResult) [see](https://example.com) ![i](data:x)');
  assert.doesNotMatch(html, /href="command|src=/);
  assert.match(html, /href="https:\/\/example\.com"/);
});
