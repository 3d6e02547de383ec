import {constants} from 'node:os';

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a shell says of a program that the signal ended: 128 and its number. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** A signal that asked the command to end, as the reason of an AbortSignal. */
export class EndedBySignal extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`${signal} ended the command`);
    this.exitCode = exitCodeOfSignal(signal);
  }
}

/** Runs `body` with a signal that aborts at the first SIGINT, SIGTERM or SIGHUP; until it ends they do not kill us. */
export async function withEndingSignals<Result>(body: (ended: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const end = (signal: NodeJS.Signals) => controller.abort(new EndedBySignal(signal));
  for (const signal of endingSignals) process.on(signal, end);
  try {
    return await body(controller.signal);
  } finally {
    for (const signal of endingSignals) process.off(signal, end);
  }
}
