const CTRL_P = 0x10;
const CTRL_Q = 0x11;
const held = Uint8Array.of(CTRL_P);

/**
 * Finds Ctrl-P Ctrl-Q in what is typed, also when the two arrive apart. A Ctrl-P at the end is held back, so that letting go types nothing
 * into the container; `release` gives it out when nothing has followed for a while (shells need it).
 */
export class DetachKeys {
  #lastWasP = false;
  #isHeld = false;

  /** What of these bytes is for the container, and whether the keys ended it there. */
  push(bytes: Uint8Array): {readonly pass: Uint8Array; readonly detached: boolean} {
    if (bytes.length === 0) return {pass: bytes, detached: false};
    let pass: Uint8Array = this.#isHeld ? Buffer.concat([held, bytes]) : bytes;
    let detached = this.#lastWasP && bytes[0] === CTRL_Q;
    if (detached) pass = pass.subarray(0, 0);
    for (let at = pass.indexOf(CTRL_P); at >= 0 && !detached; at = pass.indexOf(CTRL_P, at + 1)) {
      detached = pass[at + 1] === CTRL_Q;
      if (detached) pass = pass.subarray(0, at);
    }
    this.#lastWasP = !detached && bytes.at(-1) === CTRL_P;
    this.#isHeld = this.#lastWasP;
    return {pass: this.#isHeld ? pass.subarray(0, -1) : pass, detached};
  }

  /** The Ctrl-P that is held back, if one is. A Ctrl-Q right behind it still lets go. */
  release(): Uint8Array {
    const bytes = this.#isHeld ? held : held.subarray(1);
    this.#isHeld = false;
    return bytes;
  }
}
