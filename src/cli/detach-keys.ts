const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/**
 * Finds Ctrl-P Ctrl-Q in what is typed, also when the two arrive apart. Ctrl-P is passed on at once (shells need it), Ctrl-Q behind it
 * never.
 */
export class DetachKeys {
  #lastWasP = false;

  /** What of these bytes is for the container, and whether the keys ended it there. */
  push(bytes: Uint8Array): {readonly pass: Uint8Array; readonly detached: boolean} {
    for (const [index, byte] of bytes.entries()) {
      if (this.#lastWasP && byte === CTRL_Q) return {pass: bytes.subarray(0, index), detached: true};
      this.#lastWasP = byte === CTRL_P;
    }
    return {pass: bytes, detached: false};
  }
}
