/** The page that shows a summary: no editor needed here. */

export interface Link {
  label: string;
  /** A command of the extension, with its only argument. */
  command: string;
  argument: number;
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
  pre, code { font-family: var(--vscode-editor-font-family); }
  pre { white-space: pre-wrap; }
`;

/** `body` is HTML; nothing in it can run or load anything. */
export function page(title: string, body: string, links: readonly Link[]): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<nav>${links.map(anchor).join('')}</nav>
<h2>${escaped(title)}</h2>
<main>${body}</main>
</body>
</html>`;
}

/** Text as HTML that shows it as it is. */
export function verbatim(text: string): string {
  return `<pre>${escaped(text)}</pre>`;
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
