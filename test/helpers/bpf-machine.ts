import type {BpfInstruction} from '../../native-free/bpf-code.ts';

/** A system call as a filter sees it. */
export interface SystemCall {
  readonly number: number;
  readonly architecture: number;
  readonly args: readonly bigint[];
}

/** What the kernel's interpreter would answer, and how many instructions it took. Source: kernel/bpf/core.c, seccomp(2). */
export function runBpf(program: readonly BpfInstruction[], call: SystemCall): {answer: number; steps: number} {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.architecture, true);
  call.args.forEach((arg, index) => {
    data.setBigUint64(16 + index * 8, arg, true);
  });
  let accumulator = 0;
  let counter = 0;
  for (let steps = 1; ; steps += 1) {
    const instruction = program[counter];
    if (!instruction) throw new Error(`the program ran off its end at ${counter}`);
    const {code, jt, jf, k} = instruction;
    counter += 1;
    const test = (holds: boolean) => {
      counter += holds ? jt : jf;
    };
    switch (code) {
      case 0x20:
        if (k % 4 !== 0 || k > 60) throw new Error(`a load at ${k}: the kernel refuses it`);
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = Number(BigInt(accumulator) & BigInt(k));
        break;
      case 0x05:
        counter += k;
        break;
      case 0x15:
        test(accumulator === k);
        break;
      case 0x25:
        test(accumulator > k);
        break;
      case 0x35:
        test(accumulator >= k);
        break;
      case 0x06:
        return {answer: k, steps};
      default:
        throw new Error(`no such instruction: 0x${code.toString(16)}`);
    }
  }
}
