import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page, verbatim } from '../src/common/summary-page';

test('a page has a button for each command, and nothing in it runs or is loaded', () => {
  const links = [{ label: 'Copy <all>', command: 'cato.copyResult', argument: 7 }];
  const html = page('summary of "f" <T>', '<p>Adds.</p>', links);
  assert.match(html, /href="command:cato\.copyResult\?%5B7%5D">Copy &lt;all&gt;</);
  assert.match(html, /<h2>summary of &quot;f&quot; &lt;T&gt;<\/h2>/);
  assert.match(html, /default-src 'none'/);
  assert.doesNotMatch(html, /<script/);
});

test('text that cannot be rendered is shown as it is', () => {
  assert.equal(verbatim('a < b && c'), '<pre>a &lt; b &amp;&amp; c</pre>');
});
