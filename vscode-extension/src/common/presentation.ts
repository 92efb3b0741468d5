/** How a status looks: no editor needed here. */

import type { ServerStatus } from './protocol';

/** The language server's states, and those that only the extension knows of. */
export type Status =
  | ServerStatus
  | (Omit<ServerStatus, 'state'> & { state: 'paused' })
  | { state: 'starting' | 'stopped' | 'missing' | 'failed'; message: string };

export interface Presentation {
  text: string;
  label: string;
  severity: 'normal' | 'warning' | 'error';
}

/** Says `message` in the person's language, `{0}` and so on being replaced. */
export type Translate = (message: string, ...values: (string | number)[]) => string;

/**
 * Text of the status item, a label in words, and how loud it is. `off` is the language of the
 * active editor, where suggestions are switched off for it.
 */
export function present(status: Status, t: Translate, off?: string): Presentation {
  if (off !== undefined && isConnected(status)) {
    const label = t('off for {0}', off);
    return { text: '$(circle-slash) CATO', label, severity: 'normal' };
  }
  const [icon, label, severity] = style(status.state, t);
  const latency = isConnected(status) ? status.latencyMs : null;
  const figure = isKnown(latency) ? ` ${formatDuration(latency)}` : '';
  return { text: `$(${icon}) CATO${figure}`, label, severity };
}

type Connected = ServerStatus & { state: 'ready' | 'busy' };

/** Whether a backend answers. */
function isConnected(status: Status): status is Connected {
  return status.state === 'ready' || status.state === 'busy';
}

function style(
  state: Status['state'],
  t: Translate,
): [icon: string, label: string, Presentation['severity']] {
  switch (state) {
    case 'starting':
      return ['loading~spin', t('starting'), 'normal'];
    case 'ready':
      return ['check', t('ready'), 'normal'];
    case 'busy':
      return ['sync~spin', t('busy'), 'normal'];
    case 'paused':
      return ['debug-pause', t('paused in this window'), 'normal'];
    case 'disabled':
      return ['circle-slash', t('completions are disabled'), 'normal'];
    case 'unreachable':
      return ['debug-disconnect', t('no backend'), 'warning'];
    case 'unauthorized':
      return ['key', t('the backend refused the token'), 'warning'];
    case 'missing':
      return ['cloud-download', t('no language server'), 'warning'];
    case 'stopped':
      return ['debug-stop', t('the language server is not running'), 'warning'];
    case 'failed':
      return ['error', t('the language server failed'), 'error'];
  }
}

/** `87 ms`, `1.2 s`. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** One line for each thing known. */
export function details(status: Status, t: Translate): string[] {
  const backend = 'backendUrl' in status && status.backendUrl;
  const where = backend ? t('Backend: {0}', backend) : '';
  const advice = isConnected(status) ? status.modelAdvice : '';
  return [remark(status), where, model(status, t), ...figures(status, t), advice].filter(Boolean);
}

/** Which model answers and how large it is; empty where none is known. */
export function model(status: Status, t: Translate): string {
  if (!isConnected(status) || !status.model) return '';
  const { model: name, modelParameters } = status;
  return isKnown(modelParameters)
    ? t('Model: {0} ({1} parameters)', name, formatCount(modelParameters))
    : t('Model: {0}', name);
}

/** `7B`, `1.5B`, `5M`. */
export function formatCount(parameters: number): string {
  return parameters >= 999_500_000
    ? `${Number((parameters / 1e9).toFixed(1))}B`
    : `${Math.max(1, Math.round(parameters / 1e6))}M`;
}

/** What the language server has to say beyond the state itself. */
export function remark(status: Status): string {
  return status.state === 'ready' ? '' : status.message;
}

/** What was measured. */
export function figures(status: Status, t: Translate): string[] {
  if (!('backendUrl' in status)) return [];
  const { latencyMs, load, acceptance, acceptedCharacters, lastRequestId } = status;
  const lines: string[] = [];
  if (isConnected(status)) {
    if (isKnown(latencyMs)) lines.push(t('Latency: {0}', formatDuration(latencyMs)));
    if (isKnown(load)) lines.push(t('Load: {0}', percent(load)));
  }
  if (isKnown(acceptance)) lines.push(t('Accepted: {0}', percent(acceptance)));
  if (acceptedCharacters > 0) {
    lines.push(t('Not typed: {0} characters', acceptedCharacters.toLocaleString()));
  }
  if (lastRequestId) lines.push(t('Latest request: {0}', lastRequestId));
  return lines;
}

/** An older language server leaves out what it does not know. */
function isKnown(figure: number | null | undefined): figure is number {
  return typeof figure === 'number';
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
