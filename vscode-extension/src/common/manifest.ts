/** What the extension says of itself in package.json. */

import type { ExtensionContext } from 'vscode';

export interface Manifest {
  version: string;
  contributes: { configuration: { properties: Record<string, unknown> } };
}

export function manifestOf(context: ExtensionContext): Manifest {
  return context.extension.packageJSON as Manifest;
}
