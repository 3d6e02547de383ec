/** Passes text on to listeners, and keeps what comes before there is one for the first of them. */
export class EarlyText {
  readonly #listeners: ((text: string) => void)[] = [];
  #early: string[] = [];

  push(text: string): void {
    if (text === '') return;
    if (this.#listeners.length === 0) this.#early.push(text);
    for (const listener of this.#listeners) listener(text);
  }

  listen(listener: (text: string) => void): void {
    this.#listeners.push(listener);
    const early = this.#early;
    this.#early = [];
    for (const text of early) listener(text);
  }
}
