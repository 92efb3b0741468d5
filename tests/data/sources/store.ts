import { readFile } from 'node:fs/promises';
import type { Writable } from 'node:stream';

export type Listener<T> = (value: T, before: T | undefined) => void;

export interface Options<T> {
  readonly name: string;
  initial?: T;
  equals?(left: T, right: T): boolean;
}

export enum State {
  Empty = 'empty',
  Ready = 'ready (or so)',
  Failed = 'failed',
}

/** A value that can be watched; see {@link Options} for what it takes. */
export class Store<T extends object> {
  private readonly listeners = new Set<Listener<T>>();
  private state: State = State.Empty;

  constructor(
    private readonly options: Options<T>,
    private value: T | undefined = options.initial,
  ) {
    if (value !== undefined) {
      this.state = State.Ready;
    }
  }

  get current(): T | undefined {
    return this.value;
  }

  watch(listener: Listener<T>): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  async load<K extends keyof T>(
    path: string,
    keys: readonly K[],
  ): Promise<Pick<T, K>> {
    try {
      const text = await readFile(path, { encoding: 'utf8' });
      const parsed = JSON.parse(text) as T;
      this.set(parsed);
      return Object.fromEntries(keys.map((key) => [key, parsed[key]])) as Pick<T, K>;
    } catch (error) {
      this.state = State.Failed;
      throw new Error(`cannot load ${this.options.name} (${String(error)})`);
    } finally {
      this.log(process.stderr);
    }
  }

  set(value: T): void {
    const before = this.value;
    if (before !== undefined && this.options.equals?.(before, value)) {
      return;
    } else {
      this.value = value;
    }
    for (const listener of this.listeners) {
      listener(value, before);
    }
  }

  private log(out: Writable): void {
    out.write(`[${this.options.name}] ${this.state.replace(/[()]/g, '')}\n`);
  }
}

export function isReady<T extends object>(
  store: Store<T>,
): store is Store<T> & { current: T } {
  return store.current !== undefined;
}

const defaults: Record<string, Options<{ id: number }>> = {
  users: { name: 'users', initial: { id: 1 } },
  carts: {
    name: 'carts)',
    equals: (left, right) => left.id === right.id,
  },
};

export default defaults;
