import {syscallsOf} from '../../native-free/syscalls.ts';
import type {PodView} from '../../src/index.ts';
import type {ExecOptions} from '../../src/node/running-pod.ts';

const numbers = syscallsOf(process.arch === 'arm64' ? 'arm64' : 'x64');

/** A call by name, or by number, with whole numbers as arguments. */
export type Call = readonly [name: string | number, ...args: number[]];

/** Perl that makes each call (NUMBER,ARG,…) and prints `ok`, or its errno's number. */
export const callsScript =
  'print join(" ", map { my @w = map { $_ + 0 } split /,/; $! = 0; syscall($w[0], @w[1..$#w]) == -1 ? $! + 0 : "ok" } @ARGV), "\n"';

/** The words that follow `perl -e SCRIPT` for these calls. */
export function callWords(calls: readonly Call[]): string[] {
  return calls.map(([name, ...args]) => {
    const number = typeof name === 'number' ? name : numbers.get(name);
    if (number === undefined) throw new Error(`no call ${name} on ${process.arch}`);
    return [number, ...args].join(',');
  });
}

/** What calls are answered in a pod, by an exec'ed program: `ok`, or the errno's number. */
export async function answersOf(pod: PodView, calls: readonly Call[], options: ExecOptions = {}): Promise<string> {
  const {stdout} = await pod.exec(['perl', '-e', callsScript, ...callWords(calls)], options);
  return String(stdout);
}
