import {randomInt} from 'node:crypto';
import {chownSync, readdirSync, readFileSync, readlinkSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {createNode, type NodeOptions} from '../../src/index.ts';
import {contentsOf, processes, until} from './host-test.ts';

const blockSize = 65_536;

/** What a state folder holds when no pod is there: its own files, and folders that come with a feature's first use. */
const always = [
  /^[^/]+\/$/,
  /^version$/,
  /^ledger\/(version|blocks\/|pods\/|tmp\/)$/,
  /^logs\/$/,
  /^images\/(version|lock|(blobs|layers|refs|tmp|uses)\/)$/,
];

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Control groups that could be of a pod; others make theirs meanwhile. */
function cgroups(folder: string): string[] {
  try {
    return readdirSync(folder, {withFileTypes: true}).flatMap((entry) =>
      entry.isDirectory() ? [join(folder, entry.name), ...cgroups(join(folder, entry.name))] : [],
    );
  } catch {
    return [];
  }
}

/** Dead, and waited for by nobody but the machine's pid 1, which takes its time. */
function isLeftToInit(pid: number): boolean {
  return /^\d+ \(.*\) Z 1 /s.test(textOf(`/proc/${pid}/stat`));
}

function openFilesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

/**
 * A state folder and a pool of ids that are this test's alone, so that whatever runs in them can be found from the machine:
 * a process is the lab's when its ids are of the pool, or when the state folder or the marker is in its command line or environment.
 */
export class Lab {
  readonly root: string;
  readonly pool: {readonly first: number; readonly length: number};
  /** In PATH of the lab's own children, and so in the environment of every process of theirs that was not exec'ed into a pod. */
  readonly marker: string;
  /** Sessions of the lab's own children: whatever they start is in them, but for what makes one of its own. */
  readonly sessions = new Set<number>();
  /** Processes that are meant to live: the lab's own children. */
  readonly spared = new Set<number>([process.pid]);

  /** Users that are the lab's alone. */
  readonly uids = new Set<number>();
  /** Further ids that are the lab's alone: a user's subordinate ones. */
  readonly ranges: {readonly first: number; readonly length: number}[];

  constructor(root: string, pool: Lab['pool']) {
    this.root = root;
    this.pool = pool;
    this.ranges = [pool];
    this.marker = `/subroot-marker-${pool.first}`;
  }

  get options(): NodeOptions {
    return {root: this.root, pool: this.pool};
  }

  get env(): Record<string, string> {
    return {PATH: `${process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'}:${this.marker}`};
  }

  /** How children of the lab are started. */
  get child(): {env: Record<string, string>; sessions: Set<number>} {
    return {env: this.env, sessions: this.sessions};
  }

  #isOurs(pid: number, commandLine: string): boolean {
    if (commandLine.includes(this.root)) return true;
    const session = Number(
      textOf(`/proc/${pid}/stat`)
        .replace(/^.*\) /s, '')
        .split(' ')[3],
    );
    if (this.sessions.has(session)) return true;
    const uid = /^Uid:\t(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1];
    if (this.uids.has(Number(uid))) return true;
    // Perl's $0 hides command line and environment of an agent and a supervisor; what they have open does not lie.
    if (commandLine.startsWith('subroot-') && openFilesOf(pid).some((path) => path.includes(this.root))) return true;
    const map = textOf(`/proc/${pid}/uid_map`).trim().split(/\s+/).map(Number);
    const hostId = map[1] ?? 0;
    const isInRange = this.ranges.some(({first, length}) => hostId >= first && hostId < first + length);
    if (map.length === 3 && isInRange) return true;
    return textOf(`/proc/${pid}/environ`).includes(this.marker);
  }

  /** Living processes of the lab, as lines; the compiler of the test's own loader does not count. */
  processes(): string[] {
    return processes()
      .filter(({pid}) => !isLeftToInit(pid))
      .filter(({pid, commandLine}) => !this.spared.has(pid) && !commandLine.includes('esbuild'))
      .filter(({pid, commandLine}) => this.#isOurs(pid, commandLine))
      .map(({pid, commandLine}) => {
        // Name, state, parent, group, session: a process that is about to be gone has no command line any more.
        const stat = textOf(`/proc/${pid}/stat`).split(' ').slice(1, 6).join(' ');
        return `process ${pid}: ${commandLine} (${textOf(`/proc/${pid}/uid_map`).trim()}) ${stat} ${textOf(`/proc/${pid}/wchan`)}`;
      });
  }

  /** Those that are no agents: an agent forks its next worker ahead. */
  podProcesses(): string[] {
    return this.processes().filter((line) => !line.includes(': subroot-agent'));
  }

  mounts(): string[] {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.root))
      .map((line) => `mount: ${line}`);
  }

  /** What is in the state folder beyond what every one has. */
  files(): string[] {
    return (
      contentsOf(this.root)
        .filter((path) => !always.some((pattern) => pattern.test(path)))
        // Working files of a ledger that is open in a process that is meant to live.
        .filter((path) => !this.spared.has(Number(/^ledger\/tmp\/(\d+),/.exec(path)?.[1])))
        .map((path) => `file: ${path}`)
    );
  }

  /**
   * All that may not come to be when something fails: processes (by pid, since they rename themselves, and without the agents, which
   * fork ahead), files, this machine's mounts and its cgroups.
   */
  snapshot(): string[] {
    return [
      ...this.podProcesses().map((line) => line.replace(/:.*/s, '')),
      ...this.files(),
      ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n'),
      ...cgroups('/sys/fs/cgroup').filter((path) => /subroot|pod|[0-9a-f]{12}/.test(path)),
    ];
  }

  /** Waits until there is nothing that was not in a snapshot. */
  async untilNothingIsNew(before: readonly string[]): Promise<void> {
    const isNew = () => this.snapshot().filter((line) => !before.includes(line));
    const seen = () => [...isNew(), ...this.processes()].join('\n  ');
    await until('nothing half-made stays', () => isNew().length === 0, {deadlineMs: 15_000, seen});
  }

  left(): string[] {
    return [...this.processes(), ...this.mounts(), ...this.files()];
  }

  /** Waits until nothing is left, and fails with what is. */
  async untilNothingIsLeft(what: string, deadlineMs = 10_000): Promise<void> {
    await until(`nothing is left after ${what}`, () => this.left().length === 0, {
      deadlineMs,
      seen: () => `\n  ${this.left().join('\n  ')}`,
    });
  }
}

/**
 * A lab that is empty again at the end of the test: pods that are left then are removed, and whatever stays fails the test. With `uid`
 * the state folder is that user's, and the test removes its pods itself.
 */
export async function makeLab(t: ExecutionContext, options: {blocks?: number; uid?: number} = {}): Promise<Lab> {
  const folder = await dir({prefix: 'subroot-lab', unsafeCleanup: true});
  const length = (options.blocks ?? 16) * blockSize;
  let lab: Lab;
  // Others' pods may be anywhere: few blocks, where nobody is now.
  do lab = new Lab(folder.path, {first: randomInt(40_000, 65_000) * blockSize, length});
  while (lab.processes().length > 0);
  // Nodes of this process are the lab's too.
  const {PATH} = process.env;
  process.env.PATH = lab.env.PATH;
  const {uid} = options;
  if (uid !== undefined) {
    chownSync(folder.path, uid, uid);
    lab.uids.add(uid);
  }
  t.teardown(async () => {
    try {
      if (uid !== undefined) return await lab.untilNothingIsLeft('the test', 5000);
      const node = await createNode({...lab.options, lifetime: 'detached'});
      try {
        await node.gc();
        for (const {id} of await node.pods()) await node.pod(id).remove();
        await node.gc();
      } finally {
        await node.close();
      }
      await lab.untilNothingIsLeft('the test', 5000);
    } finally {
      process.env.PATH = PATH;
      await folder.cleanup();
    }
  });
  return lab;
}
