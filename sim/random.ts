import {createCipheriv, createHash, randomBytes} from 'node:crypto';

/** A source of whole numbers. Every random choice of the simulator goes through one, so that a seed repeats a run. */
export interface Random {
  /** Uniform in 0…n−1; `n` from 1 to 2^32. */
  below(n: number): number;
}

const WORDS = 1024;
const zeros = Buffer.alloc(WORDS * 4);

/**
 * Numbers that cannot be foreseen without the seed: the AES-256 key stream (counter mode) under SHA-256 of the seed.
 * The same seed gives the same numbers on every machine. Nothing is thrown.
 */
export function seededRandom(seed: string | Uint8Array): Random {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const words = new Uint32Array(WORDS);
  const bytes = new DataView(words.buffer);
  let at = WORDS;

  function next(): number {
    if (at === WORDS) {
      const block = stream.update(zeros);
      for (let i = 0; i < WORDS; i++) bytes.setUint32(i * 4, block.readUInt32LE(i * 4), littleEndian);
      at = 0;
    }
    const word = words[at] ?? 0;
    at += 1;
    return word;
  }

  return {
    below(n) {
      // Words past the last whole multiple of n would favour low numbers.
      const limit = 2 ** 32 - (2 ** 32 % n);
      for (;;) {
        const word = next();
        if (word < limit) return word % n;
      }
    },
  };
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** A generator with a seed from the operating system. */
export function systemRandom(): Random {
  return seededRandom(randomBytes(32));
}
