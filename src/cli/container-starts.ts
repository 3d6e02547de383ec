import {closeSync, openSync} from 'node:fs';
import type {Inventory} from '../runtime/inventory.ts';

/** A container that was started. */
export interface ContainerStart {
  readonly name: string;
  readonly id: string;
  /** Its log, held open: of several attempts only the last two stay, and who reads may be slower than they are. */
  readonly log: HeldLog;
}

/** A log that can be read when its file was removed. */
export class HeldLog {
  readonly #fd: number | undefined;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'r');
    } catch {
      // Not written yet, or already gone.
      this.#fd = undefined;
    }
  }

  get path(): string {
    return this.#fd === undefined ? this.#path : `/proc/self/fd/${this.#fd}`;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

/** Containers in the order in which they are started: who listens hears of those before too. */
export class ContainerStarts {
  readonly #all: ContainerStart[] = [];
  readonly #inventory: Inventory;
  #listener: ((start: ContainerStart) => void) | undefined;

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  readonly add = ({name, id}: {readonly name: string; readonly id: string}): void => {
    const start = {name, id, log: new HeldLog(this.#inventory.findContainer(id)?.logPath ?? '')};
    if (this.#listener) this.#listener(start);
    else this.#all.push(start);
  };

  /** Answers what ends the listening. */
  listen(listener: (start: ContainerStart) => void): () => void {
    for (const start of this.#all.splice(0)) listener(start);
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }
}
