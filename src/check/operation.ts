import type {AttackCall} from '../host/attacker.ts';

/**
 * What is tried, as data: system calls by the names of their man pages. Where section 2 has an `at` form, that is what is called, with the
 * folder AT_FDCWD, since it is there on every architecture.
 */
export interface Operation {
  /** As a man page would name it, for reports: `open(/…/secret, O_RDONLY)`. */
  readonly did: string;
  readonly call: AttackCall;
  /** Errnos that say that the permission check was passed: `EINVAL` of reboot(2) with a wrong magic. */
  readonly gate?: readonly string[];
}

/** An argument: a number, a text, bytes with addresses put into them, room for an answer, or the result of an earlier call. */
export type Argument =
  | number
  | bigint
  | string
  | {readonly bytes: Uint8Array; readonly pointers?: Readonly<Record<number, Uint8Array>>; readonly back?: boolean}
  | {readonly room: number}
  | {readonly of: string};

function word(argument: Argument): string {
  if (typeof argument === 'string') return `s${argument}`;
  if (typeof argument !== 'object') return String(argument);
  if ('of' in argument) return `r${argument.of}`;
  if ('room' in argument) return `o${argument.room}`;
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const pointers = Object.entries(argument.pointers ?? {}).map(([offset, bytes]) => `+${offset}:${hex(bytes)}`);
  return `${argument.back ? 'B' : 'b'}${hex(argument.bytes)}${pointers.join('')}`;
}

export interface CallOptions {
  /** Keeps the result for later calls: `{of: KEY}`, or `{KEY}` in a text. */
  readonly as?: string;
  /** Its failure does not end the attempt. */
  readonly optional?: boolean;
  readonly gate?: readonly string[];
}

/** Any call. `did` says in the report what it was. */
export function call(name: string, args: readonly Argument[], did: string, options: CallOptions = {}): Operation {
  return {
    did,
    call: [name, options.as ?? '-', options.optional ? '?' : '!', ...args.map(word)],
    ...(options.gate ? {gate: options.gate} : {}),
  };
}

const arm = process.arch === 'arm64';
export const AT_FDCWD = -100;
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  NOCTTY: 0o400,
  DIRECTORY: arm ? 0o40000 : 0o200000,
  NOFOLLOW: arm ? 0o100000 : 0o400000,
} as const;
const flagNames = Object.entries(O).filter(([name]) => !['RDONLY', 'WRONLY', 'RDWR'].includes(name));

function shownFlags(flags: number): string {
  const access = ['O_RDONLY', 'O_WRONLY', 'O_RDWR'][flags % 4] ?? '';
  return [
    access,
    ...flagNames.filter(([, bit]) => Math.floor(flags / bit) % 2 === 1).map(([name]) => `O_${name}`),
  ].join('|');
}

export function open(path: string, flags: number, options: CallOptions & {mode?: number; at?: string} = {}): Operation {
  const folder: Argument = options.at === undefined ? AT_FDCWD : {of: options.at};
  const args = [folder, path, flags, options.mode ?? 0o600];
  return call('openat', args, `open(${path}, ${shownFlags(flags)})`, {as: 'file', ...options});
}

export function read(size = 256, from = 'file'): Operation {
  return call('read', [{of: from}, {room: size}, size], 'read');
}

export function write(text: string, to = 'file', options: CallOptions = {}): Operation {
  return call(
    'write',
    [{of: to}, text, Buffer.byteLength(text)],
    `write(${JSON.stringify(text.slice(0, 40))})`,
    options,
  );
}

export function truncate(path: string): Operation {
  return call('truncate', [path, 0], `truncate(${path}, 0)`);
}

export function chmod(path: string, mode: number, options: CallOptions = {}): Operation {
  return call('fchmodat', [AT_FDCWD, path, mode], `chmod(${path}, ${mode.toString(8).padStart(4, '0')})`, options);
}

export function chown(path: string, uid: number, gid: number, options: CallOptions = {}): Operation {
  return call('fchownat', [AT_FDCWD, path, uid, gid, 0], `chown(${path}, ${uid}, ${gid})`, options);
}

export function unlink(path: string): Operation {
  return call('unlinkat', [AT_FDCWD, path, 0], `unlink(${path})`);
}

export function mkdir(path: string, mode = 0o755, options: CallOptions = {}): Operation {
  return call('mkdirat', [AT_FDCWD, path, mode], `mkdir(${path})`, options);
}

export function rename(from: string, to: string): Operation {
  return call('renameat2', [AT_FDCWD, from, AT_FDCWD, to, 0], `rename(${from}, ${to})`);
}

export function link(from: string, to: string): Operation {
  return call('linkat', [AT_FDCWD, from, AT_FDCWD, to, 0], `link(${from}, ${to})`);
}

export function symlink(target: string, path: string): Operation {
  return call('symlinkat', [target, AT_FDCWD, path], `symlink(${target}, ${path})`);
}

export function readlink(path: string, options: CallOptions = {}): Operation {
  return call('readlinkat', [AT_FDCWD, path, {room: 256}, 256], `readlink(${path})`, options);
}

/** A device by major and minor number; mode with its type (0o020000 character, 0o060000 block, 0o010000 FIFO). */
export function mknod(path: string, mode: number, major: number, minor: number): Operation {
  const device = (minor % 256) + major * 256;
  const kind = mode >= 0o060000 ? 'b' : mode >= 0o020000 ? 'c' : 'p';
  return call('mknodat', [AT_FDCWD, path, mode, device], `mknod(${path}, ${kind} ${major}:${minor})`);
}

export function utimes(path: string): Operation {
  const times = new BigInt64Array([1_000_000_000n, 0n, 1_000_000_000n, 0n]);
  const bytes = new Uint8Array(times.buffer);
  return call('utimensat', [AT_FDCWD, path, {bytes}, 0], `utimensat(${path}, 2001-09-09)`);
}

export function setxattr(path: string, name: string, value: Uint8Array): Operation {
  return call('setxattr', [path, name, {bytes: value}, value.length, 0], `setxattr(${path}, ${name})`);
}

/** A file capability, format 2: one capability, permitted and effective. Source: include/uapi/linux/capability.h vfs_cap_data. */
export function fileCapability(capability: number): Uint8Array {
  const words = new Uint32Array([0x02000001, 0, 0, 0, 0]);
  words[capability < 32 ? 1 : 3] = 2 ** (capability % 32);
  return new Uint8Array(words.buffer);
}

export const MS = {rdonly: 1, nosuid: 2, nodev: 4, remount: 32, bind: 4096, rec: 16384, private: 262_144} as const;

export function mount(source: string, target: string, type: string, flags = 0, data = '', options: CallOptions = {}) {
  const shown = flags >= MS.remount ? (flags % 64 >= MS.remount ? 'remount' : 'bind') : type;
  return call('mount', [source, target, type, flags, data], `mount(${source}, ${target}, ${shown})`, options);
}

export function umount(target: string, options: CallOptions = {}): Operation {
  return call('umount2', [target, 2], `umount(${target}, MNT_DETACH)`, options);
}

const CLONE = {
  user: 0x10000000,
  mnt: 0x20000,
  pid: 0x20000000,
  net: 0x40000000,
  ipc: 0x08000000,
  uts: 0x04000000,
  cgroup: 0x02000000,
  time: 0x80,
} as const;
export type NamespaceType = keyof typeof CLONE;

export function unshare(...types: readonly NamespaceType[]): Operation {
  const flags = types.reduce((sum, type) => sum + CLONE[type], 0);
  return call('unshare', [flags], `unshare(${types.join(', ')})`);
}

export function setns(descriptor: string, type: NamespaceType, options: CallOptions = {}): Operation {
  return call('setns', [{of: descriptor}, CLONE[type]], `setns(${descriptor}, ${type})`, options);
}

export function kill(pid: number, signal: number, name: string): Operation {
  return call('kill', [pid, signal], `kill(${pid}, ${name})`);
}

export function setuid(uid: number, options: CallOptions = {}): Operation {
  return call('setresuid', [uid, uid, uid], `setuid(${uid})`, options);
}

export function setgid(gid: number, options: CallOptions = {}): Operation {
  return call('setresgid', [gid, gid, gid], `setgid(${gid})`, options);
}

export function setgroups(gids: readonly number[], options: CallOptions = {}): Operation {
  const bytes = new Uint8Array(new Uint32Array([...gids, 0]).buffer);
  return call('setgroups', [gids.length, {bytes}], `setgroups([${gids.join(', ')}])`, options);
}

/** Becomes another user of the same namespace, who has no capability then. */
export function become(uid: number, gid = uid): Operation[] {
  return [setgroups([]), setgid(gid), setuid(uid)];
}

/** Capability sets to nothing but these; the bounding set stays. */
export function capset(mask: bigint): Operation {
  const header = new Uint8Array(new Uint32Array([0x20080522, 0]).buffer);
  const low = Number(mask % 2n ** 32n);
  const high = Number(mask / 2n ** 32n);
  const data = new Uint8Array(new Uint32Array([low, low, 0, high, high, 0]).buffer);
  return call('capset', [{bytes: header}, {bytes: data}], 'capset');
}

export const AF = {unix: 1, inet: 2, netlink: 16, packet: 17} as const;

export function socket(
  family: number,
  type: number,
  protocol: number,
  did: string,
  options: CallOptions = {},
): Operation {
  return call('socket', [family, type, protocol], `socket(${did})`, {as: 'socket', ...options});
}

function unixAddress(path: string): Uint8Array {
  const name = Buffer.from(path, 'latin1');
  return Buffer.concat([Buffer.from([AF.unix, 0]), name, ...(path.startsWith('\0') ? [] : [Buffer.from([0])])]);
}

function inetAddress(host: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF.inet, 0);
  bytes.writeUInt16BE(port, 2);
  for (const [index, part] of host.split('.').entries()) bytes[4 + index] = Number(part);
  return bytes;
}

export function connectUnix(path: string): Operation {
  const bytes = unixAddress(path);
  const shown = path.replace('\0', '@');
  return call('connect', [{of: 'socket'}, {bytes}, bytes.length], `connect(${shown})`);
}

export function bindUnix(path: string): Operation {
  const bytes = unixAddress(path);
  return call('bind', [{of: 'socket'}, {bytes}, bytes.length], `bind(${path.replace('\0', '@')})`);
}

export function listen(): Operation {
  return call('listen', [{of: 'socket'}, 16], 'listen');
}

export function bindInet(host: string, port: number, options: CallOptions = {}): Operation {
  return call('bind', [{of: 'socket'}, {bytes: inetAddress(host, port)}, 16], `bind(${host}:${port})`, options);
}

export function connectInet(host: string, port: number): Operation {
  return call('connect', [{of: 'socket'}, {bytes: inetAddress(host, port)}, 16], `connect(${host}:${port})`);
}

export function send(bytes: Uint8Array, did: string, options: CallOptions & {to?: Uint8Array} = {}): Operation {
  const {to, ...rest} = options;
  const address: Argument[] = to ? [{bytes: to}, to.length] : [0, 0];
  return call('sendto', [{of: 'socket'}, {bytes}, bytes.length, 0, ...address], did, rest);
}

/** The kernel's answer to what was sent over a netlink socket. */
export function acknowledge(did: string): Operation {
  return call('ack', [{of: 'socket'}], did);
}

export function ioctl(
  on: string,
  request: number,
  argument: Argument,
  did: string,
  options: CallOptions = {},
): Operation {
  return call('ioctl', [{of: on}, request, argument], `ioctl(${did})`, options);
}

export function prlimit(resource: number, soft: number, hard: number, did: string): Operation {
  const bytes = new Uint8Array(new BigUint64Array([BigInt(soft), BigInt(hard)]).buffer);
  return call('prlimit64', [0, resource, {bytes}, 0], `setrlimit(${did})`);
}

export function run(...argv: readonly string[]): Operation {
  return call('run', argv, `execve(${argv.join(' ').slice(0, 120)})`);
}

/** A call again and again, until it fails or was made `limit` times; the result is how often. `%d` in a text is the turn's number. */
export function repeat(limit: number, name: string, args: readonly Argument[]): Operation {
  return {
    did: `${name}, at most ${limit} times`,
    call: ['repeat', '-', '!', String(limit), `s${name}`, ...args.map(word)],
  };
}

export function fork(): Operation {
  return call('fork', [], 'fork');
}

/** A namespace of a process, through /proc. */
export function openNamespace(pid: number, type: NamespaceType, options: CallOptions = {}): Operation {
  return open(`/proc/${pid}/ns/${type}`, O.RDONLY, {as: type, ...options});
}

/** Little-endian words of a struct: `[value, size in bytes]…`. */
export function struct(...fields: readonly (readonly [value: number | bigint, size: 1 | 2 | 4 | 8])[]): Uint8Array {
  return Buffer.concat(
    fields.map(([value, size]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
      return bytes.subarray(0, size);
    }),
  );
}
