import {execFileSync, spawn} from 'node:child_process';
import {lstatSync, mkdirSync, openSync, readFileSync, readlinkSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {atEnd} from './scratch.ts';

/** How a pod is made and unmade by other means; each resolves when its program runs in its finished root, or is gone. */
export interface Peer {
  readonly name: string;
  start(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Runs a program in a pod that runs. */
  exec?(id: string, argv: readonly string[]): Promise<void>;
}

export interface PeerOptions {
  readonly folder: string;
  /** A root file system whose /usr is this machine's. */
  readonly rootfs: string;
  /** First host id of the 65536 that the peers' pods get. */
  readonly firstId: number;
}

const opened = new Map<string, number>();
/** Standard streams of the peers: a file, since crun 1.8 gives its own streams to the container's root by fchown(2). */
function streams(folder: string): number {
  const fd = opened.get(folder) ?? openSync(join(folder, 'streams'), 'a+');
  opened.set(folder, fd);
  return fd;
}

function lastWords(folder: string): string {
  return readFileSync(join(folder, 'streams'), 'utf8').trim().slice(-500);
}

/** Resolves when the program has ended; its children may keep its streams open. `said` reads its words when it fails. */
function untilExit(command: string, args: readonly string[], stdio: number, said: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {stdio: [stdio, stdio, stdio]});
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')} exited ${code}: ${said()}`)),
    );
  });
}

/** Runs a program to its end with the streams of the peers. */
export function runQuiet(command: string, args: readonly string[], folder: string): Promise<void> {
  return untilExit(command, args, streams(folder), () => lastWords(folder));
}

/** Folders of a root file system around a read-only bind of this machine's /usr. Needs root and a mount namespace of our own. */
export function makeRootfs(folder: string): string {
  const rootfs = join(folder, 'rootfs');
  for (const name of ['', 'usr', 'proc', 'sys', 'dev', 'tmp', 'etc', 'run', 'root'])
    mkdirSync(join(rootfs, name), {mode: 0o755, recursive: true});
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    if (lstatSync(`/${name}`, {throwIfNoEntry: false})?.isSymbolicLink())
      symlinkSync(readlinkSync(`/${name}`), join(rootfs, name));
  }
  execFileSync('mount', ['--bind', '/usr', join(rootfs, 'usr')]);
  atEnd(() => execFileSync('umount', ['-l', join(rootfs, 'usr')]));
  execFileSync('mount', ['-o', 'remount,bind,ro,nodev', join(rootfs, 'usr')]);
  return rootfs;
}

/**
 * Shows cgroup v2 alone in this mount namespace: crun refuses a hybrid layout, and on v2 it is at its best (clone3 into the cgroup
 * instead of a move that waits for an RCU grace period).
 */
export function showCgroup2Alone(): void {
  if (
    !readFileSync('/proc/self/mountinfo', 'latin1').includes(' /sys/fs/cgroup rw') ||
    !readFileSync('/proc/filesystems', 'latin1').includes('cgroup2')
  )
    return;
  execFileSync('umount', ['-R', '-l', '/sys/fs/cgroup']);
  execFileSync('mount', ['-t', 'cgroup2', '-o', 'nosuid,nodev,noexec', 'cgroup2', '/sys/fs/cgroup']);
}

const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const capabilities = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
].map((name) => `CAP_${name}`);

/** Rootless runc gives its FIFO to the container's root, so that must be the caller itself. */
function mapOf(own: number, firstId: number): unknown[] {
  if (own === 0) return [{containerID: 0, hostID: firstId, size: 65_536}];
  return [
    {containerID: 0, hostID: own, size: 1},
    {containerID: 1, hostID: firstId, size: 65_535},
  ];
}

/** The default mounts, masks and limits of an OCI runtime, as subroot's plan has them. */
function ociConfig({rootfs, firstId}: PeerOptions): unknown {
  const mount = (destination: string, type: string, ...options: string[]) => ({
    destination,
    type,
    source: type,
    options,
  });
  return {
    ociVersion: '1.0.2',
    process: {
      args: ['sleep', 'infinity'],
      cwd: '/',
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      user: {uid: 0, gid: 0},
      noNewPrivileges: true,
      capabilities: {bounding: capabilities, effective: capabilities, permitted: capabilities},
    },
    root: {path: rootfs, readonly: false},
    hostname: 'bench',
    mounts: [
      mount('/proc', 'proc'),
      mount('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
      mount('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
      mount('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'),
      mount('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
      mount('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', 'ro'),
      // Where v1 is mounted too the runtimes bind all its hierarchies; subroot and these configurations mount v2 alone.
      ...(readFileSync('/proc/self/mountinfo', 'latin1').includes(' - cgroup2 ')
        ? [{...mount('/sys/fs/cgroup', 'cgroup2', 'nosuid', 'noexec', 'nodev', 'ro')}]
        : []),
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({type})),
      uidMappings: mapOf(process.getuid?.() ?? 0, firstId),
      gidMappings: mapOf(process.getgid?.() ?? 0, firstId),
      maskedPaths,
      readonlyPaths,
    },
  };
}

/** crun or runc, `run -d` and `delete -f`. */
export function ociRuntime(name: string, command: string, globals: readonly string[], options: PeerOptions): Peer {
  const bundle = join(options.folder, `bundle-${name.replaceAll(/\W+/g, '-')}`);
  const root = `${bundle}-state`;
  mkdirSync(bundle, {recursive: true});
  mkdirSync(root, {recursive: true});
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(ociConfig(options)));
  const stdio = streams(options.folder);
  const run = new Set<string>();
  const runtime = (verb: string, ...args: string[]) =>
    untilExit(command, [...globals, '--root', root, verb, ...args], stdio, () => lastWords(options.folder));
  const peer = {
    name,
    exec: (id: string, argv: readonly string[]) => runtime('exec', id, ...argv),
    async start(id: string) {
      run.add(id);
      // A session keyring per container runs into kernel.keys.maxkeys of the mapped root.
      await runtime('run', '-d', '--no-new-keyring', '--bundle', bundle, id);
    },
    async remove(id: string) {
      await runtime('delete', '-f', id);
      run.delete(id);
    },
  };
  atEnd(async () => {
    for (const id of run) await peer.remove(id).catch(() => {});
  });
  return peer;
}

/** A command that makes namespaces around a program; ready at the program's first byte, gone when it is reaped. */
export function wrapper(name: string, command: string, args: readonly string[]): Peer {
  const running = new Map<string, () => Promise<void>>();
  const peer = {
    name,
    start: (id: string) =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(command, [...args, 'sh', '-c', 'echo; exec sleep infinity'], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        const ended = new Promise<void>((done) => child.on('exit', () => done()));
        child.on('error', reject);
        child.on('exit', () => reject(new Error(`${command} ended before its program ran`)));
        child.stdout.once('data', () => resolve());
        running.set(id, () => {
          child.kill('SIGKILL');
          return ended;
        });
      }),
    async remove(id: string) {
      await running.get(id)?.();
      running.delete(id);
    },
  };
  atEnd(async () => {
    for (const id of [...running.keys()]) await peer.remove(id);
  });
  return peer;
}

export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', name], {stdio: 'ignore'});
    return true;
  } catch {
    return false;
  }
}

/** All peers that this machine has. `rootless` leaves out what an ordinary user cannot do. */
export function allPeers(options: PeerOptions): Peer[] {
  const {rootfs} = options;
  const has = (peer: string) => hasProgram(peer);
  return [
    ...(has('crun')
      ? [
          ociRuntime('crun run -d', 'crun', [], options),
          ociRuntime('crun run -d, cgroup disabled', 'crun', ['--cgroup-manager=disabled'], options),
        ]
      : []),
    ...(has('runc') ? [ociRuntime('runc run -d', 'runc', [], options)] : []),
    ...(has('bwrap')
      ? [
          wrapper('bwrap (1 id)', 'bwrap', [
            '--unshare-all',
            '--unshare-user',
            '--die-with-parent',
            '--ro-bind',
            `${rootfs}/usr`,
            '/usr',
            '--symlink',
            'usr/bin',
            '/bin',
            '--symlink',
            'usr/lib',
            '/lib',
            '--symlink',
            'usr/lib64',
            '/lib64',
            '--proc',
            '/proc',
            '--dev',
            '/dev',
            '--tmpfs',
            '/tmp',
          ]),
        ]
      : []),
    wrapper('unshare, all namespaces (1 id, no mounts)', 'unshare', [
      '--user',
      '--map-root-user',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--net',
      '--ipc',
      '--uts',
      '--cgroup',
    ]),
  ];
}
