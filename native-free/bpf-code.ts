/**
 * Classic BPF programs as seccomp(2) takes them, put together from their end: a jump only goes forward, so what it leads to is there
 * before it is. A conditional jump reaches 255 instructions; where its target is farther, a copy of a `ret` or a plain jump stands in.
 * Source: include/uapi/linux/filter.h, include/uapi/linux/bpf_common.h, net/core/filter.c bpf_check_classic(), 6.18.
 */

/** One `struct sock_filter`: `jt` and `jf` count the instructions to skip. */
export interface BpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  /** An unsigned 32-bit number. */
  readonly k: number;
}

/** The opcodes that a seccomp filter here consists of. */
export const bpfCode = {
  /** A = the 32-bit word at byte k of `struct seccomp_data`. */
  load: 0x20,
  /** A = A & k. */
  and: 0x54,
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfGreater: 0x25,
  jumpIfGreaterOrEqual: 0x35,
  return: 0x06,
} as const;

/** The kernel's limit: BPF_MAXINSNS. */
export const maxBpfInstructions = 4096;

const reach = 255;

/** An instruction that was put, by its distance from the end. */
export type BpfLabel = number & {readonly label: unique symbol};

/** A program that grows from its last instruction to its first. */
export class BpfBuilder {
  readonly #backwards: BpfInstruction[] = [];
  readonly #returns = new Map<number, BpfLabel>();

  #put(code: number, k: number, jt = 0, jf = 0): BpfLabel {
    this.#backwards.push({code, jt, jf, k});
    return (this.#backwards.length - 1) as BpfLabel;
  }

  #distance(target: BpfLabel): number {
    return this.#backwards.length - target - 1;
  }

  /** The target, or something within `limit` instructions that leads there. */
  #near(target: BpfLabel, limit: number): BpfLabel {
    const distance = this.#distance(target);
    if (distance <= limit) return target;
    const instruction = this.#backwards[target];
    if (instruction?.code === bpfCode.return) {
      const copy = this.#put(bpfCode.return, instruction.k);
      this.#returns.set(instruction.k, copy);
      return copy;
    }
    return this.#put(bpfCode.jump, distance);
  }

  /** Ends with a value; the same one is put again only where no jump can reach the last. */
  return(value: number): BpfLabel {
    const known = this.#returns.get(value);
    if (known !== undefined && this.#distance(known) < reach) return known;
    const label = this.#put(bpfCode.return, value);
    this.#returns.set(value, label);
    return label;
  }

  branch(
    code: typeof bpfCode.jumpIfEqual | typeof bpfCode.jumpIfGreater | typeof bpfCode.jumpIfGreaterOrEqual,
    k: number,
    ifTrue: BpfLabel,
    ifFalse: BpfLabel,
  ): BpfLabel {
    // What stands in for the second may push the first one farther away.
    const yes = this.#near(ifTrue, reach - 1);
    const no = this.#near(ifFalse, reach);
    return this.#put(code, k, this.#distance(yes), this.#distance(no));
  }

  /** Loads the word at a byte offset, and goes on at `next`. */
  load(offset: number, next: BpfLabel): BpfLabel {
    this.#near(next, 0);
    return this.#put(bpfCode.load, offset);
  }

  and(mask: number, next: BpfLabel): BpfLabel {
    this.#near(next, 0);
    return this.#put(bpfCode.and, mask);
  }

  /** The program from its first instruction on. It begins with what was put last. */
  finish(): readonly BpfInstruction[] {
    return this.#backwards.toReversed();
  }
}

/** A program in hexadecimal, eight little-endian bytes for each instruction: what the agent's step `seccomp` takes. */
export function encodeBpf(program: readonly BpfInstruction[]): string {
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(({code, jt, jf, k}, index) => {
    bytes.setUint16(index * 8, code, true);
    bytes.setUint8(index * 8 + 2, jt);
    bytes.setUint8(index * 8 + 3, jf);
    bytes.setUint32(index * 8 + 4, k, true);
  });
  return Array.from(new Uint8Array(bytes.buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
