/**
 * A set of slot numbers 0…size−1 that finds the next free slot in constant time: one bit a slot, and two levels of summary whose
 * bit says "this word below is full". 65,534 slots are 2048 + 64 + 2 words, so a search reads at most six of them.
 * Bit operators act on bitmap words and slot numbers (below 65,536 here), never on ids.
 */
export class SlotMap {
  readonly size: number;
  readonly #slots: Uint32Array;
  readonly #fullWords: Uint32Array;
  readonly #fullGroups: Uint32Array;
  #taken = 0;

  constructor(size: number) {
    this.size = size;
    this.#slots = paddedBits(size);
    this.#fullWords = paddedBits(this.#slots.length);
    this.#fullGroups = paddedBits(this.#fullWords.length);
  }

  get taken(): number {
    return this.#taken;
  }

  has(slot: number): boolean {
    return (((this.#slots[slot >>> 5] ?? FULL) >>> (slot & 31)) & 1) === 1;
  }

  /** Takes a slot; false when it was taken already or does not exist. */
  take(slot: number): boolean {
    const word = slot >>> 5;
    const before = this.#slots[word] ?? FULL;
    const bit = 1 << (slot & 31);
    if ((before & bit) !== 0) return false;
    this.#taken += 1;
    const after = before | bit;
    this.#slots[word] = after;
    if (~after === 0) this.#wordFilled(word);
    return true;
  }

  /** Frees a slot; false when it was free already or does not exist. */
  free(slot: number): boolean {
    if (!(slot >= 0 && slot < this.size)) return false;
    const word = slot >>> 5;
    const before = this.#slots[word] ?? 0;
    const bit = 1 << (slot & 31);
    if ((before & bit) === 0) return false;
    this.#taken -= 1;
    this.#slots[word] = before & ~bit;
    if (~before === 0) this.#wordOpened(word);
    return true;
  }

  /** The first free slot at or after `start`, going round once; −1 when all are taken. */
  nextFree(start: number): number {
    const word = start >>> 5;
    const here = firstZero((this.#slots[word] ?? FULL) | ((1 << (start & 31)) - 1));
    if (here >= 0) return word * 32 + here;
    let open = this.#openWord(word + 1);
    if (open < 0) open = this.#openWord(0);
    return open < 0 ? -1 : open * 32 + firstZero(this.#slots[open] ?? FULL);
  }

  #wordFilled(word: number): void {
    const group = word >>> 5;
    const after = (this.#fullWords[group] ?? 0) | (1 << (word & 31));
    this.#fullWords[group] = after;
    if (~after === 0) this.#fullGroups[group >>> 5] = (this.#fullGroups[group >>> 5] ?? 0) | (1 << (group & 31));
  }

  #wordOpened(word: number): void {
    const group = word >>> 5;
    this.#fullWords[group] = (this.#fullWords[group] ?? 0) & ~(1 << (word & 31));
    this.#fullGroups[group >>> 5] = (this.#fullGroups[group >>> 5] ?? 0) & ~(1 << (group & 31));
  }

  /** The first word at or after `from` that has a free slot, or −1. */
  #openWord(from: number): number {
    const group = from >>> 5;
    if (group >= this.#fullWords.length) return -1;
    const here = firstZero((this.#fullWords[group] ?? FULL) | ((1 << (from & 31)) - 1));
    if (here >= 0) return group * 32 + here;
    let mask = (1 << ((group + 1) & 31)) - 1;
    for (let top = (group + 1) >>> 5; top < this.#fullGroups.length; top++) {
      const open = firstZero((this.#fullGroups[top] ?? FULL) | mask);
      if (open >= 0) return (top * 32 + open) * 32 + firstZero(this.#fullWords[top * 32 + open] ?? FULL);
      mask = 0;
    }
    return -1;
  }
}

const FULL = 0xffff_ffff;

/** Words for so many bits, all free; bits past the end count as taken, so that no search lands there. */
function paddedBits(bits: number): Uint32Array {
  const words = new Uint32Array(Math.max(1, Math.ceil(bits / 32)));
  if (bits % 32 !== 0 || bits === 0) words[words.length - 1] = FULL << (bits % 32);
  return words;
}

/** Number of the lowest clear bit, or −1. */
function firstZero(word: number): number {
  const free = ~word;
  return free === 0 ? -1 : 31 - Math.clz32(free & -free);
}
