import {createHash} from 'node:crypto';
import {lstatSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {join} from 'node:path';
import {readIdMapText, startTimeOf} from '../host/proc.ts';
import {mountsOf, readText} from '../host/process-view.ts';
import {type FuzzPlace, programOf} from './fuzz-program.ts';
import type {Operation} from './operation.ts';
import type {Place} from './place.ts';
import {everyNamespace, type Held, type Scene, type Who} from './scene.ts';

/** Something outside of the pod's ids that changed. */
export interface FuzzFinding {
  /** What changed, with the values before and after. */
  readonly what: string;
  /** The program that does it again, or the numbers of those among which it was. */
  readonly programs: readonly number[];
  /** Its calls, as the man pages name them; empty when none of them alone does it. */
  readonly calls: readonly string[];
}

export interface FuzzReport {
  readonly seed: string;
  readonly programs: number;
  readonly calls: number;
  /** Calls that succeeded: a fuzzer whose every call is refused proves nothing. */
  readonly succeeded: number;
  readonly findings: readonly FuzzFinding[];
}

export interface FuzzOptions {
  readonly programs: number;
  readonly seed: string;
  /** Stops early after so many milliseconds; without it all are run. */
  readonly withinMs?: number;
}

/** How many programs are run between two looks at the host. */
const BATCH = 100;

/** Who the programs are run as: after an escape from all but the user namespace, and inside. */
function casts(scene: Scene, folder: string): {readonly who: Who; readonly prefix: string}[] {
  const {pod} = scene;
  return [
    {who: {pod, capabilities: 'all'}, prefix: folder},
    {who: {pod, capabilities: 'default'}, prefix: folder},
    {who: {pod, capabilities: 'none', uid: 1000}, prefix: folder},
    {
      who: {pod, capabilities: 'all', inside: everyNamespace, keep: [['arena', folder, 0]]},
      prefix: '/proc/self/fd/{arena}',
    },
  ];
}

/** Canaries that no program may change, and one folder where everybody may make files. */
function fill(place: Place): void {
  place.file('secret');
  place.file('config', {mode: 0o644});
  place.file('program', {mode: 0o755});
  place.file('setuid', {mode: 0o4755});
  place.dir('private', {mode: 0o700});
  place.file('private/inner', {mode: 0o644});
  place.dir('folder');
  place.file('folder/file', {mode: 0o644});
  place.dir('room', {mode: 0o1777});
}

/** Everything that must stay as it is, by name. */
function stateOf(place: Place, victim: Held, scene: Scene): Map<string, string> {
  const state = new Map<string, string>();
  const root = place.view('.');
  const walk = (name: string): void => {
    const path = join(root, name);
    const stat = lstatSync(path);
    // A folder's own times change with what is tried in it by the host itself.
    const times = stat.isDirectory() ? '' : ` ${stat.mtimeMs}`;
    const links = stat.isDirectory() ? '' : ` ${stat.nlink}`;
    let text = `${stat.uid}:${stat.gid} ${(stat.mode % 0o10000).toString(8)}${links}${times}`;
    if (stat.isFile()) text += ` ${createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 12)}`;
    if (stat.isSymbolicLink()) text += ` → ${readlinkSync(path)}`;
    state.set(`file ${name}`, text);
    if (!stat.isDirectory() || name === 'room') return;
    for (const child of readdirSync(path)) walk(name === '.' ? child : join(name, child));
  };
  walk('.');
  const {pid} = victim;
  state.set('victim', startTimeOf(pid) ?? 'gone');
  state.set('signals of the victim', place.pendingSignals(pid).join(' '));
  state.set('tracer of the victim', /^TracerPid:\s*(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1] ?? '');
  state.set(
    'priority of the victim',
    (readText(`/proc/${pid}/stat`) ?? '')
      .replace(/^.*\) /s, '')
      .split(' ')
      .slice(15, 17)
      .join(' '),
  );
  for (const line of (readText(`/proc/${pid}/limits`) ?? '').split('\n'))
    state.set(`limit of the victim, ${line.slice(0, 26).trim()}`, line.slice(26).trim().split(/\s+/).join(' '));
  state.set('core_pattern', readText('/proc/sys/kernel/core_pattern') ?? '');
  state.set('hostname', readText('/proc/sys/kernel/hostname') ?? '');
  state.set('map of the pod', readIdMapText(scene.pod.init.pid, 'uid_map') ?? '');
  state.set('mounts of the stage', String(mountsOf(scene.stagePid).length));
  return state;
}

/** Files in the room that belong to nobody of the pod. */
function strangers(place: Place, scene: Scene): string[] {
  const block = scene.blockOf(scene.pod);
  const isOurs = (id: number, first: number | undefined) =>
    block !== undefined && first !== undefined && first >= 65_536 && id >= first && id < first + block.size;
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const stat = lstatSync(path);
      if (!isOurs(stat.uid, block?.uid) || !isOurs(stat.gid, block?.gid))
        found.push(`a file of the pod belongs to ${stat.uid}:${stat.gid} (${path.slice(place.view('.').length)})`);
      if (stat.isDirectory()) walk(path);
    }
  };
  walk(place.view('room'));
  return found;
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    return was === is ? [] : [`${name}: ${was ?? '(not there)'} → ${is ?? '(gone)'}`];
  });
}

/**
 * Runs random programs as root and as a user of the pod against canaries, and looks at the host after every few of them: whatever changed
 * outside of the pod's ids is a finding. The same seed gives the same programs.
 */
export async function fuzzBoundary(scene: Scene, {programs, seed, withinMs}: FuzzOptions): Promise<FuzzReport> {
  const begin = performance.now();
  const counts = {programs: 0, calls: 0, succeeded: 0};
  const findings: FuzzFinding[] = [];
  const trial = async (
    numbers: readonly number[],
  ): Promise<{readonly what: string[]; readonly programs: Map<number, readonly Operation[]>}> => {
    const place = scene.place(`fuzz-${numbers[0]}`, 'treatment-all');
    const made = new Map<number, readonly Operation[]>();
    const cast = casts(scene, place.folder);
    try {
      fill(place);
      const victim = await place.victim();
      const before = stateOf(place, victim, scene);
      await Promise.all(
        cast.map(async ({who, prefix}, index) => {
          const actor = await scene.actor(who);
          const target: FuzzPlace = {
            folder: prefix,
            victim: victim.pid,
            corePattern: (readText('/proc/sys/kernel/core_pattern') ?? '').trim(),
          };
          for (const number of numbers.filter((each) => each % cast.length === index)) {
            scene.signal.throwIfAborted();
            const operations = programOf(seed, number, target);
            made.set(number, operations);
            const end = await actor.run(operations, 3000);
            counts.programs++;
            counts.calls += end.calls.length;
            counts.succeeded += end.calls.filter(({errno}) => errno === undefined).length;
          }
        }),
      );
      return {
        what: [...differences(before, stateOf(place, victim, scene)), ...strangers(place, scene)],
        programs: made,
      };
    } finally {
      const inside = cast.find(({who}) => who.keep !== undefined);
      if (inside) await scene.dismiss(inside.who);
      await place.clear();
    }
  };
  for (let first = 0; first < programs; first += BATCH) {
    if (withinMs !== undefined && performance.now() - begin > withinMs) break;
    const numbers = Array.from({length: Math.min(BATCH, programs - first)}, (_, index) => first + index);
    const {what} = await trial(numbers);
    if (what.length === 0) continue;
    findings.push(await narrowed(numbers, what, trial));
    // One is enough to act on, and each costs a batch of its own.
    if (findings.length >= 5) break;
  }
  return {seed, ...counts, findings};
}

/** The one program that does it alone, where there is one. */
async function narrowed(
  numbers: readonly number[],
  what: readonly string[],
  trial: (
    numbers: readonly number[],
  ) => Promise<{readonly what: string[]; readonly programs: Map<number, readonly Operation[]>}>,
): Promise<FuzzFinding> {
  for (const number of numbers) {
    const alone = await trial([number]);
    if (alone.what.length > 0)
      return {
        what: alone.what.join('; '),
        programs: [number],
        calls: (alone.programs.get(number) ?? []).map(({did}) => did),
      };
  }
  return {what: what.join('; '), programs: numbers, calls: []};
}
