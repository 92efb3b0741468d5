/** Settings as the language server wants them: dotted names become nested objects. */

export type Nested = { [name: string]: unknown };

/** `{'backend.url': x}` as `{backend: {url: x}}`; entries that are undefined are left out. */
export function nest(entries: Iterable<readonly [string, unknown]>): Nested {
  const root: Nested = {};
  for (const [name, value] of entries) {
    if (value !== undefined) place(root, name.split('.'), value);
  }
  return root;
}

function place(node: Nested, [head = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    node[head] = value;
    return;
  }
  const child = (node[head] ?? {}) as Nested;
  node[head] = child;
  place(child, rest, value);
}
