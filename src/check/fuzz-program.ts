import {createHash} from 'node:crypto';
import {
  AF,
  bindInet,
  call,
  chmod,
  chown,
  kill,
  link,
  MS,
  mkdir,
  mknod,
  mount,
  O,
  type Operation,
  open,
  openNamespace,
  read,
  rename,
  setgid,
  setgroups,
  setns,
  setuid,
  setxattr,
  socket,
  struct,
  symlink,
  truncate,
  umount,
  unlink,
  unshare,
  utimes,
  write,
} from './operation.ts';

/** What programs are aimed at: canaries and nothing else. */
export interface FuzzPlace {
  /** Folder of the canaries, as the program sees it. */
  readonly folder: string;
  readonly victim: number;
  /** Present value of kernel.core_pattern: it is written that and nothing else. */
  readonly corePattern: string;
}

type Random = <Value>(values: readonly Value[]) => Value;

/** A stream of choices that a text decides: SHA-256 of the text and a counter. */
function randomOf(text: string): Random {
  let bytes = Buffer.alloc(0);
  let at = 0;
  let block = 0;
  return (values) => {
    if (at + 4 > bytes.length) {
      bytes = createHash('sha256').update(`${text}/${block++}`).digest();
      at = 0;
    }
    const number = bytes.readUInt32LE(at);
    at += 4;
    const value = values[number % values.length];
    if (value === undefined) throw new Error('a choice of nothing');
    return value;
  };
}

const ids = [0, 1, 5, 1000, 65_533, 65_534, 65_535, 65_536, 100_000, 4_294_967_294, 4_294_967_295];
const modes = [0, 0o600, 0o644, 0o666, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o6777];
const canaries = ['secret', 'config', 'program', 'setuid', 'private', 'private/inner', 'folder', 'folder/file', 'room'];
const names = ['room/a', 'room/b', 'room/c', 'folder/new', 'private/new', 'new'];
const maps = ['0 0 1', '0 0 65536', '0 0 4294967295', '0 65536 1', '0 1000 1', '1000 0 1', '0 1 65535', '5 5 5', 'x'];
/** Signals that end, stop or wake; a canary process has all of them blocked that can be. */
const signals = [0, 1, 9, 10, 15, 19, 64];
const namespaces = ['user', 'mnt', 'net', 'uts', 'ipc', 'cgroup'] as const;

/** A call whose refusal does not end the program. */
function optional(operation: Operation): Operation {
  const [name, key, , ...rest] = operation.call;
  return {...operation, call: [name, key, '?', ...rest]};
}

type Make = (pick: Random, place: FuzzPlace) => readonly Operation[];

const anyPath = (pick: Random, {folder}: FuzzPlace) => `${folder}/${pick([...canaries, ...names])}`;
const newPath = (pick: Random, {folder}: FuzzPlace) => `${folder}/${pick(names)}`;

const kinds: Readonly<Record<string, Make>> = {
  write: (pick, place) => [
    open(
      anyPath(pick, place),
      O.NONBLOCK + pick([O.WRONLY, O.RDWR]) + pick([0, O.APPEND, O.TRUNC, O.CREAT, O.NOFOLLOW]),
      {
        mode: pick(modes),
      },
    ),
    write(pick(['fuzz\n', '0', '#!/bin/sh\n'])),
  ],
  read: (pick, place) => [open(anyPath(pick, place), O.RDONLY + O.NONBLOCK), read(64)],
  truncate: (pick, place) => [truncate(anyPath(pick, place))],
  chmod: (pick, place) => [chmod(anyPath(pick, place), pick(modes))],
  chown: (pick, place) => [chown(anyPath(pick, place), pick(ids), pick(ids))],
  times: (pick, place) => [utimes(anyPath(pick, place))],
  unlink: (pick, place) => [unlink(anyPath(pick, place))],
  rename: (pick, place) => [rename(anyPath(pick, place), newPath(pick, place))],
  link: (pick, place) => [link(anyPath(pick, place), newPath(pick, place))],
  symlink: (pick, place) => [symlink(anyPath(pick, place), newPath(pick, place))],
  mkdir: (pick, place) => [mkdir(newPath(pick, place), pick(modes))],
  mknod: (pick, place) => [
    mknod(newPath(pick, place), pick([0o010666, 0o020666, 0o060666]), pick([0, 1, 7]), pick([0, 3, 7])),
  ],
  attribute: (pick, place) => [
    setxattr(
      anyPath(pick, place),
      pick(['user.fuzz', 'trusted.fuzz', 'security.capability']),
      struct([0x02000001, 4], [0x2000, 4], [0, 4], [0, 4], [0, 4]),
    ),
  ],
  uid: (pick) => [setuid(pick(ids))],
  gid: (pick) => [setgid(pick(ids))],
  groups: (pick) => [setgroups([pick(ids)])],
  someIds: (pick) => [call('setresuid', [pick(ids), pick(ids), pick(ids)], 'setresuid')],
  capabilities: (pick) => {
    const low = pick([0, 0xffffffff, 0xa80425fb]);
    const header = struct([0x20080522, 4], [0, 4]);
    return [
      call(
        'capset',
        [{bytes: header}, {bytes: struct([low, 4], [low, 4], [0, 4], [0x1ff, 4], [0x1ff, 4], [0, 4])}],
        'capset',
      ),
    ];
  },
  unshare: (pick) => [unshare(pick(namespaces))],
  map: (pick) => [
    open(`/proc/self/${pick(['uid_map', 'gid_map', 'setgroups'])}`, O.WRONLY),
    write(pick([...maps, 'deny', 'allow'])),
  ],
  mapOfVictim: (pick, {victim}) => [
    open(`/proc/${victim}/${pick(['uid_map', 'gid_map', 'setgroups'])}`, O.WRONLY),
    write(pick(maps)),
  ],
  join: (pick, {victim}) => {
    const type = pick(namespaces);
    return [openNamespace(victim, type), setns(type, type)];
  },
  kill: (pick, {victim}) => {
    const signal = pick(signals);
    return [kill(victim, signal, String(signal))];
  },
  trace: (_, {victim}) => [call('ptrace', [0x4206, victim, 0, 0], 'ptrace(PTRACE_SEIZE)')],
  renice: (pick, {victim}) => [call('setpriority', [0, victim, pick([-5, 5, 10])], 'setpriority')],
  limits: (pick, {victim}) => [
    call('prlimit64', [victim, pick([4, 6, 7]), {bytes: struct([pick([0, 10, 1000]), 8], [1000, 8])}, 0], 'prlimit'),
  ],
  knob: (pick, {victim}) => [
    open(`/proc/${victim}/${pick(['oom_score_adj', 'clear_refs', 'mem', 'timerslack_ns'])}`, O.WRONLY),
    write('0'),
  ],
  sysctl: (_, {corePattern}) => [open('/proc/sys/kernel/core_pattern', O.WRONLY), write(`${corePattern}\n`)],
  tmpfs: (pick, place) => [mount('tmpfs', anyPath(pick, place), 'tmpfs')],
  bind: (pick, place) => [mount(anyPath(pick, place), anyPath(pick, place), '', MS.bind)],
  remount: (pick, place) => [mount('none', anyPath(pick, place), '', MS.bind + MS.remount)],
  umount: (pick, place) => [umount(anyPath(pick, place))],
  chroot: (pick, place) => [call('chroot', [pick(['/', `${place.folder}/room`])], 'chroot')],
  port: (pick) => [socket(AF.inet, pick([1, 3]), 0, 'AF_INET'), bindInet('127.0.0.1', pick([80, 1017]))],
  packet: () => [socket(AF.packet, 3, 0, 'AF_PACKET')],
  bpf: () => [
    call('bpf', [0, {bytes: Buffer.concat([struct([2, 4], [4, 4], [4, 4], [1, 4]), Buffer.alloc(32)])}, 48], 'bpf'),
  ],
  hostname: () => [call('sethostname', ['fuzz', 4], 'sethostname')],
};

/**
 * Program NUMBER of a seed: three to twelve things that a process may try, each of which may be refused. It acts on canaries and on itself
 * alone, writes no setting another value than the one that is there, and makes nothing that outlives it but files among the canaries.
 */
export function programOf(seed: string, number: number, place: FuzzPlace): Operation[] {
  const pick = randomOf(`${seed}/${number}`);
  const length = pick([3, 4, 5, 6, 7, 8, 10, 12]);
  return Array.from({length}, () => kinds[pick(Object.keys(kinds))] ?? kinds.read)
    .flatMap((make) => make?.(pick, place) ?? [])
    .map(optional);
}
