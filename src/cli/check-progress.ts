import type {CheckResult} from '../check/result.ts';
import {outcomeSigns} from '../check/verdict.ts';

/** What a run is at, on one line of a terminal that is written over; nothing is written where standard error is none. */
export class CheckProgress {
  readonly #total: number;
  readonly #what: string;
  readonly #live = process.stderr.isTTY === true;
  #done = 0;

  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
    this.#draw('');
  }

  /** To be handed to the engine. */
  readonly onResult = ({id, outcome}: CheckResult): void => {
    this.#done += 1;
    this.#draw(`${outcomeSigns[outcome].sign} ${id}`);
  };

  #draw(text: string): void {
    if (!this.#live) return;
    const line = `${this.#what}: ${this.#done} of ${this.#total} ${text}`;
    process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  end(): void {
    if (this.#live) process.stderr.write('\r\x1b[K');
  }
}
