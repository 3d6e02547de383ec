const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/**
 * Finds Ctrl-P Ctrl-Q in what is typed, also when the two arrive apart. A Ctrl-P waits for the key behind it, as with every container
 * engine: passed on at once, it would stay behind in the shell's line after the keys let go.
 */
export class DetachKeys {
  #holdsP = false;

  /** What of these bytes is for the container, and whether the keys ended it there. */
  push(bytes: Uint8Array): {readonly pass: Uint8Array; readonly detached: boolean} {
    const pass: number[] = [];
    for (const byte of bytes) {
      if (this.#holdsP && byte === CTRL_Q) return {pass: Uint8Array.from(pass), detached: true};
      if (this.#holdsP) pass.push(CTRL_P);
      this.#holdsP = byte === CTRL_P;
      if (!this.#holdsP) pass.push(byte);
    }
    return {pass: Uint8Array.from(pass), detached: false};
  }
}
