import assert from 'node:assert/strict';
import { test } from 'node:test';
import { content, page, verbatim } from '../src/common/summary-page';

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

test('text that cannot be rendered is shown as it is', () => {
  assert.equal(verbatim('a < b && c'), '<pre>a &lt; b &amp;&amp; c</pre>');
});
