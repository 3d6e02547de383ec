import {createCipheriv, createHash, randomBytes} from 'node:crypto';

/** A source of whole numbers. Every random choice of the simulator goes through one, so that a seed repeats a run. */
export interface Random {
  /** Uniform in 0…n−1; `n` from 1 to 2^32. */
  below(n: number): number;
}

const WORDS = 4096;
const zeros = Buffer.alloc(WORDS * 4);

/**
 * Numbers that cannot be foreseen without the seed: the AES-256 key stream (counter mode) under SHA-256 of the seed.
 * The same seed gives the same numbers on every machine. Nothing is thrown.
 */
export function seededRandom(seed: string | Uint8Array): Random {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  let words = new Uint32Array(0);
  let at = 0;

  function next(): number {
    if (at === words.length) {
      words = wordsOf(stream.update(zeros));
      at = 0;
    }
    const word = words[at] ?? 0;
    at += 1;
    return word;
  }

  return {
    below(n) {
      return n <= EXACT ? byProduct(n, next) : byRemainder(n, next);
    },
  };
}

/** Up to here word × n is exact in a double. */
const EXACT = 2 ** 21;

/** The high half of word × n, without a division. Source: Lemire, Fast Random Integer Generation in an Interval (2019). */
function byProduct(n: number, next: () => number): number {
  let product = next() * n;
  let high = Math.floor(product / 2 ** 32);
  let low = product - high * 2 ** 32;
  if (low < n) {
    const biased = (2 ** 32 - n) % n;
    while (low < biased) {
      product = next() * n;
      high = Math.floor(product / 2 ** 32);
      low = product - high * 2 ** 32;
    }
  }
  return high;
}

function byRemainder(n: number, next: () => number): number {
  // Words past the last whole multiple of n would favour low numbers.
  const limit = 2 ** 32 - (2 ** 32 % n);
  for (;;) {
    const word = next();
    if (word < limit) return word % n;
  }
}

const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Little-endian words of a key stream, so that a seed means the same on every machine. */
function wordsOf(bytes: Buffer): Uint32Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  if (!isLittleEndian) Buffer.from(copy.buffer).swap32();
  return new Uint32Array(copy.buffer);
}

/** A generator with a seed from the operating system. */
export function systemRandom(): Random {
  return seededRandom(randomBytes(32));
}
