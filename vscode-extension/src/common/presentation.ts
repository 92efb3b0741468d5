/** How a status looks: no editor needed here. */

import type { ServerStatus } from './protocol';

/** The language server's states, and those in which there is no language server to ask. */
export type Status =
  ServerStatus | { state: 'starting' | 'stopped' | 'missing' | 'failed'; message: string };

export interface Presentation {
  text: string;
  label: string;
  severity: 'normal' | 'warning' | 'error';
}

const STYLES: Record<Status['state'], [icon: string, label: string, Presentation['severity']]> = {
  starting: ['loading~spin', 'starting', 'normal'],
  ready: ['check', 'ready', 'normal'],
  busy: ['sync~spin', 'busy', 'normal'],
  disabled: ['circle-slash', 'completions are disabled', 'normal'],
  unreachable: ['debug-disconnect', 'no backend', 'warning'],
  unauthorized: ['key', 'the backend refused the token', 'warning'],
  missing: ['cloud-download', 'no language server', 'warning'],
  stopped: ['debug-stop', 'the language server is not running', 'warning'],
  failed: ['error', 'the language server failed', 'error'],
};

/** Text of the status item, a label in words, and how loud it is. */
export function present(status: Status): Presentation {
  const [icon, label, severity] = STYLES[status.state];
  const latency = 'latencyMs' in status && status.latencyMs !== null ? status.latencyMs : undefined;
  const figure = latency === undefined ? '' : ` ${formatDuration(latency)}`;
  return { text: `$(${icon}) CATO${figure}`, label, severity };
}

/** `87 ms`, `1.2 s`. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** One `name: value` line for each thing known. */
export function details(status: Status): string[] {
  const lines = [status.message];
  if ('backendUrl' in status) {
    if (status.backendUrl) lines.push(`Backend: ${status.backendUrl}`);
    if (status.latencyMs !== null) lines.push(`Latency: ${formatDuration(status.latencyMs)}`);
    if (status.load !== null) lines.push(`Load: ${Math.round(status.load * 100)}%`);
  }
  return lines.filter(Boolean);
}
