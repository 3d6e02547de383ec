/**
 * A set of slot numbers 0…size−1 that finds the next free slot in constant time: one bit a slot, and two levels of summary whose
 * bit says "this word below is full". 65,534 slots are 2048 + 64 + 2 words, so a search reads at most six of them.
 * Bit operators act on bitmap words only, never on ids.
 */
export class SlotMap {
  readonly size: number;
  readonly #levels: readonly Uint32Array[];
  #taken = 0;

  constructor(size: number) {
    this.size = size;
    const levels: Uint32Array[] = [];
    let bits = size;
    do {
      const words = new Uint32Array(Math.max(1, Math.ceil(bits / 32)));
      // Bits past the end count as taken, so that no search lands there.
      if (bits % 32 !== 0 || bits === 0) words[words.length - 1] = (FULL << (bits % 32)) >>> 0;
      levels.push(words);
      bits = words.length;
    } while (bits > 32);
    this.#levels = levels;
    // A size of 0 leaves one full word.
    if (size === 0) this.#summarize(0);
  }

  get taken(): number {
    return this.#taken;
  }

  has(slot: number): boolean {
    const word = this.#levels[0]?.[Math.floor(slot / 32)] ?? FULL;
    return ((word >>> (slot % 32)) & 1) === 1;
  }

  /** Takes a slot; false when it was taken already. */
  take(slot: number): boolean {
    if (this.has(slot)) return false;
    this.#taken += 1;
    let at = slot;
    for (const words of this.#levels) {
      const index = Math.floor(at / 32);
      const word = ((words[index] ?? 0) | (1 << (at % 32))) >>> 0;
      words[index] = word;
      if (word !== FULL) break;
      at = index;
    }
    return true;
  }

  /** Frees a slot; false when it was free already or does not exist. */
  free(slot: number): boolean {
    if (slot < 0 || slot >= this.size || !this.has(slot)) return false;
    this.#taken -= 1;
    let at = slot;
    for (const words of this.#levels) {
      const index = Math.floor(at / 32);
      const before = words[index] ?? 0;
      words[index] = (before & ~(1 << (at % 32))) >>> 0;
      if (before !== FULL) break;
      at = index;
    }
    return true;
  }

  /** The first free slot at or after `start`, going round once; −1 when all are taken. */
  nextFree(start: number): number {
    const found = this.#firstFree(0, start);
    return found >= 0 || start === 0 ? found : this.#firstFree(0, 0);
  }

  #firstFree(level: number, start: number): number {
    const words = this.#levels[level];
    if (!words) return -1;
    const index = Math.floor(start / 32);
    if (index >= words.length) return -1;
    const here = firstZero((words[index] ?? FULL) | ((1 << (start % 32)) - 1));
    if (here >= 0) return index * 32 + here;
    const next = level + 1 < this.#levels.length ? this.#firstFree(level + 1, index + 1) : scan(words, index + 1);
    if (next < 0) return -1;
    const bit = firstZero(words[next] ?? FULL);
    return bit < 0 ? -1 : next * 32 + bit;
  }

  #summarize(word: number): void {
    const above = this.#levels[1];
    if (above) above[Math.floor(word / 32)] = FULL;
  }
}

const FULL = 0xffff_ffff;

function firstZero(word: number): number {
  const free = ~word;
  return free === 0 ? -1 : 31 - Math.clz32(free & -free);
}

function scan(words: Uint32Array, from: number): number {
  for (let i = from; i < words.length; i++) if (words[i] !== FULL) return i;
  return -1;
}
