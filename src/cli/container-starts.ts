/** A container that was started. */
export interface ContainerStart {
  readonly name: string;
  readonly id: string;
}

/** Containers in the order in which they are started: who listens hears of those before too. */
export class ContainerStarts {
  readonly #all: ContainerStart[] = [];
  #listener: ((start: ContainerStart) => void) | undefined;

  readonly add = (start: ContainerStart): void => {
    this.#all.push(start);
    this.#listener?.(start);
  };

  /** Answers what ends the listening. */
  listen(listener: (start: ContainerStart) => void): () => void {
    for (const start of this.#all) listener(start);
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }
}
