/** The page that shows prose, and fills: no editor needed here. */

import MarkdownIt from 'markdown-it';

export interface Link {
  label: string;
  /** A command of the extension, with its only argument. */
  command: string;
  argument: number;
}

/** What a page is told to show; all of it is HTML. */
export interface Content {
  nav: string;
  heading: string;
  body: string;
}

const STYLE = `
  body { padding: 0 1.5em 1.5em; line-height: 1.5; }
  nav { display: flex; gap: 0.5em; padding: 0.75em 0; position: sticky; top: 0;
        background: var(--vscode-editor-background); }
  nav a { padding: 0.2em 0.8em; text-decoration: none; border-radius: 2px;
          color: var(--vscode-button-foreground); background: var(--vscode-button-background); }
  nav a:hover { background: var(--vscode-button-hoverBackground); }
  nav a + a { color: var(--vscode-button-secondaryForeground);
              background: var(--vscode-button-secondaryBackground); }
  h2 small { font-weight: normal; opacity: 0.7; }
  pre, code { font-family: var(--vscode-editor-font-family); }
  pre { white-space: pre-wrap; }
`;

/** Shows each message's content, and asks for the first one: also when the page is loaded anew. */
const SCRIPT = `
  const parts = { nav: 'nav', heading: 'h2', body: 'main' };
  addEventListener('message', ({ data }) => {
    for (const [name, tag] of Object.entries(parts)) {
      const element = document.querySelector(tag);
      if (element.innerHTML !== data[name]) element.innerHTML = data[name];
    }
  });
  acquireVsCodeApi().postMessage('ready');
`;

/** An empty page. Nothing that is put into it can run or load anything: `nonce` is the script's. */
export function page(nonce: string): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<style>${STYLE}</style>
</head>
<body>
<nav></nav>
<h2></h2>
<main></main>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>`;
}

/** `body` is HTML, the other texts are not; `note` is said beside the title. */
export function content(
  title: string,
  note: string,
  body: string,
  links: readonly Link[],
): Content {
  const said = note && ` <small>(${escaped(note)})</small>`;
  return { nav: links.map(anchor).join(''), heading: `${escaped(title)}${said}`, body };
}

// What a model writes is text: its HTML is shown as it is, and its links lead to web pages only.
const markdown = new MarkdownIt({ html: false });
markdown.validateLink = (url) => /^https?:/i.test(url.trim());

/** Markdown as HTML; HTML within it is shown as text. */
export function rendered(text: string): string {
  return markdown.render(text);
}

function anchor({ label, command, argument }: Link): string {
  const query = encodeURIComponent(JSON.stringify([argument]));
  return `<a href="command:${command}?${query}">${escaped(label)}</a>`;
}

function escaped(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
