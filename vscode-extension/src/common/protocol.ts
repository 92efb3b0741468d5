/** The language server's own requests and notifications, as docs/lsp-protocol.md defines them. */

import type {
  Command,
  Position,
  ProgressToken,
  Range,
  TextDocumentIdentifier,
} from 'vscode-languageclient';
import { NotificationType, ProgressType, RequestType } from 'vscode-languageclient';

export type ServerState =
  'starting' | 'ready' | 'busy' | 'unreachable' | 'disabled' | 'unauthorized';

export interface ServerStatus {
  state: ServerState;
  message: string;
  backendUrl: string | null;
  /** Median of the last answers; null while no backend answers. */
  latencyMs: number | null;
  /** 0 to 1. */
  load: number | null;
  logPath: string | null;
  /** Of what was shown since the server began, the share that was accepted: 0 to 1. */
  acceptance: number | null;
  /** Characters of suggestions that were accepted since then. */
  acceptedCharacters: number;
  /** Which model answers; null while none does. */
  model: string | null;
  /** How large it is, where that is known. */
  modelParameters: number | null;
  /** How to get a better one; empty where there is nothing to say. */
  modelAdvice: string;
  /** Of the latest completion: what `cato why` asks for. */
  lastRequestId?: string | null;
}

export interface SummarizeParams {
  textDocument: TextDocumentIdentifier;
  position: Position;
  workDoneToken?: ProgressToken;
  partialResultToken?: ProgressToken;
}

export interface TranslateParams extends SummarizeParams {
  targetLanguage: string;
}

export interface TaskResult {
  outcome: 'ok' | 'cancelled' | 'failed';
  requestId: string | null;
  title: string;
  languageId: string;
  text: string;
  /** What went wrong and what to do; empty when nothing did. */
  message: string;
  elapsedMs: number;
  /** Of a summary: how it becomes the documentation of its function, where that is usual. */
  documentation: DocumentEdit | null;
  /** How the result comes into the document, where it belongs there; older servers say neither. */
  edits?: DocumentEdit[];
  /** Whether the server had the edits applied. */
  applied?: boolean;
}

/** An edit that is for this version of the document only. */
export interface DocumentEdit {
  version: number;
  range: Range;
  newText: string;
}

/** A piece of a result. */
export interface TaskDelta {
  delta: string;
  /** Whether what came before is void. */
  restart?: boolean;
}

export const SummarizeRequest = new RequestType<SummarizeParams, TaskResult, void>(
  'cato/summarize',
);
export const TranslateRequest = new RequestType<TranslateParams, TaskResult, void>(
  'cato/translate',
);
/** No parameters, but an object all the same: pygls leaves a request without any unanswered. */
export type NoParams = Record<string, never>;

export const StatusRequest = new RequestType<NoParams, ServerStatus, void>('cato/status');
export const RestartBackendRequest = new RequestType<NoParams, ServerStatus, void>(
  'cato/restartBackend',
);
/** A step of a sign-in; what is not known where it failed is left out. */
export interface SignInStep {
  outcome: 'ok' | 'cancelled' | 'failed';
  /** What went wrong and what to do; empty when nothing did. */
  message: string;
  /** The backend to which the person signs in. */
  backendUrl?: string;
  /** Of the first step: what the person confirms, and where. */
  userCode?: string;
  verificationUri?: string;
  verificationUriComplete?: string;
  /** Of the second one. */
  person?: string;
  token?: string | null;
}

export const SignInRequest = new RequestType<NoParams, SignInStep, void>('cato/signIn');
export const FinishSignInRequest = new RequestType<{ keep: boolean }, SignInStep, void>(
  'cato/finishSignIn',
);
export const DidChangeStatusNotification = new NotificationType<ServerStatus>(
  'cato/didChangeStatus',
);
/** An item of `textDocument/inlineCompletion`, as far as it identifies itself. */
export interface SuggestedItem {
  insertText: string;
  command: Command | undefined;
}

/** These three are named as in GitHub Copilot's language server. */
export const DidShowNotification = new NotificationType<{ item: SuggestedItem }>(
  'textDocument/didShowCompletion',
);
export const DidPartiallyAcceptNotification = new NotificationType<{
  item: SuggestedItem;
  /** In UTF-16 units, from the beginning of the item. */
  acceptedLength: number;
}>('textDocument/didPartiallyAcceptCompletion');
/** The position is an addition. */
export const DidFocusNotification = new NotificationType<{
  textDocument: TextDocumentIdentifier;
  position: Position;
}>('textDocument/didFocus');
export const TaskProgress = new ProgressType<TaskDelta>();
