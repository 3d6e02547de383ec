import {randomBytes} from 'node:crypto';
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {AgentFailure, agentScript, errnoName} from './agent.ts';
import {guarded} from './state-files.ts';
import type {Step} from './step.ts';
import {decodeWord, encodeRequest} from './words.ts';

/** A plan that runs with the caller's own streams: `argv` starts it, `failure()` tells why it never ran. */
export interface OnceProgram {
  readonly argv: readonly string[];
  /** With a terminal: true until its program runs or was refused. */
  isPending(): boolean;
  /** The refusal, if the plan stopped before its program ran. Reads and removes what the agent left. */
  failure(): AgentFailure | undefined;
  /** Removes what is left when the program was never started. */
  discard(): void;
}

/**
 * Writes a plan for `agent.pl once` and answers the argv that runs it. The plan travels in a file, so that it works the same under
 * a pipe, a terminal and script(1). Its mode is 0600; the agent removes it when it has read it or, with a terminal, started it.
 */
export function prepareOnce(
  folder: string,
  options: Readonly<Record<string, string>>,
  steps: readonly Step[],
): OnceProgram {
  const file = join(folder, `plan-${process.pid}-${randomBytes(8).toString('hex')}`);
  const words = ['once', 'start', ...Object.entries(options).map(([key, value]) => `${key}=${value}`)];
  guarded(file, () => writeFileSync(file, encodeRequest(words, steps), {mode: 0o600}));
  const discard = () => {
    rmSync(file, {force: true});
    rmSync(`${file}.error`, {force: true});
  };
  return {
    argv: ['perl', agentScript, 'once', process.arch, file],
    isPending: () => existsSync(file),
    failure() {
      let text: string;
      try {
        text = readFileSync(`${file}.error`, 'latin1');
      } catch {
        return undefined;
      } finally {
        discard();
      }
      const [, step = '-1', errno = '0', why = '%'] = text.trim().split(' ');
      return new AgentFailure(Number(step), errnoName(Number(errno)), decodeWord(why));
    },
    discard,
  };
}
