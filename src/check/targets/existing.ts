import {subrootError} from '../../../native-free/errors.ts';
import {readText} from '../../host/machine-files.ts';
import {namespaceOf} from '../../host/proc.ts';
import {runProgram} from '../../host/run-program.ts';
import type {Ability, TargetDescription} from '../result.ts';
import type {ExecResult, Target, TargetPod, TargetProcess} from '../target.ts';
import {abilitiesOf, abilityWords, processOf} from './making-target.ts';

/** Pods that were there before us: they are judged as they are, and nothing is started or removed. */
export class ExistingTarget implements Target {
  readonly description: TargetDescription;
  readonly existing: readonly TargetPod[];

  constructor(parts: {
    readonly target: string;
    readonly version: string;
    readonly pods: readonly TargetPod[];
    readonly abilities: readonly Ability[];
    readonly notes: readonly string[];
  }) {
    const {target, version, notes} = parts;
    this.existing = parts.pods;
    this.description = {target, version, abilities: abilitiesOf(...parts.abilities), notes};
  }

  has(ability: Ability): boolean {
    return this.description.abilities[ability];
  }

  start(): Promise<TargetPod> {
    return Promise.reject(lacks(this.description.target, 'start', 'it is judged as it is'));
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

function lacks(target: string, ability: Ability, why: string): Error {
  return subrootError('SUBROOT_TARGET_LACKS', {target, ability: abilityWords[ability], why});
}

/** `/usr/bin/nginx` of a process, by its command line, else its name in the kernel. */
function nameOf(pid: number): string {
  const words = (readText(`/proc/${pid}/cmdline`) ?? '').split('\0').filter(Boolean);
  return words[0] ?? readText(`/proc/${pid}/comm`)?.trimEnd() ?? '';
}

/**
 * Opens `pid:PID`: a process that runs, judged from outside alone; nothing is run in its container. Throws SUBROOT_TARGET_UNKNOWN for what is no
 * pid, SUBROOT_PROCESS_NOT_FOUND.
 */
export function openPid(word: string): Target {
  const target = `pid:${word}`;
  if (!/^[1-9]\d{0,9}$/.test(word))
    throw subrootError('SUBROOT_TARGET_UNKNOWN', {target, why: `${word || 'nothing'} is not a pid`});
  const pid = Number(word);
  const init = processOf(pid);
  if (init === undefined) throw subrootError('SUBROOT_PROCESS_NOT_FOUND', {pid});
  const seen = namespaceOf(pid, 'user') !== undefined;
  const pod = existingPod(word, init, () => Promise.reject(lacks(target, 'exec', 'it is looked at from outside only')));
  return new ExistingTarget({
    target,
    version: nameOf(pid),
    pods: [pod],
    abilities: seen && process.geteuid?.() === 0 ? ['outside'] : [],
    notes: seen ? [] : ['we may not look at its namespaces: only what /proc shows to everybody is judged'],
  });
}

/** Opens `self`: our own process and whatever container it is in, from inside. Needs no rights and changes nothing. */
export function openSelf(): Target {
  const init = processOf(process.pid);
  if (init === undefined) throw subrootError('SUBROOT_PROCESS_NOT_FOUND', {pid: process.pid});
  const pod = existingPod('self', init, async (argv, options = {}) => {
    const ran = await runProgram(argv, {
      ...(options.timeoutMs === undefined ? {} : {timeoutMs: options.timeoutMs}),
      ...(options.input === undefined ? {} : {input: options.input}),
    });
    const {exitCode = 255, stdout, stderr} = ran;
    return {exitCode, stdout, stderr} satisfies ExecResult;
  });
  return new ExistingTarget({
    target: 'self',
    version: `process ${process.pid}`,
    pods: [pod],
    abilities: ['exec'],
    notes: ['seen from inside: what the host would see cannot be told apart from a careful imitation'],
  });
}

/** A pod that is there and is never removed by us. */
export function existingPod(
  name: string,
  init: TargetProcess,
  exec: TargetPod['exec'],
  declared: TargetPod['declared'] = {},
): TargetPod {
  return {name, init, declared, exec, remove: async () => await Promise.resolve()};
}
