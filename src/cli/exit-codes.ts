import type {ErrorKind} from '../../native-free/errors.ts';

/** What the program ends with. `run`, `exec` and `attach` pass the workload's own code on instead (125 ours, 126/127 not startable). */
export const exitCodes = {
  ok: 0,
  /** A check found something, or the thing asked about is not there or not in that state. */
  found: 1,
  /** The words or a file given cannot be meant. */
  usage: 2,
  /** This host cannot: a missing tool, a missing right, a kernel limit. */
  host: 3,
  /** A bug of ours. Source: EX_SOFTWARE of sysexits.h. */
  internal: 70,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const codeOfKind: Record<ErrorKind, ExitCode> = {
  usage: exitCodes.usage,
  config: exitCodes.usage,
  state: exitCodes.found,
  host: exitCodes.host,
  tool: exitCodes.host,
  internal: exitCodes.internal,
};

/** The exit code of an error, by who must act on it. */
export function exitCodeOf(kind: ErrorKind): ExitCode {
  return codeOfKind[kind];
}
