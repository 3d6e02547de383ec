import {execFileSync} from 'node:child_process';
import {chmodSync, copyFileSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import type {PodView} from '../../src/index.ts';
import type {ExecOptions} from '../../src/node/running-pod.ts';
import {until} from './host-test.ts';

export const namespaceTypes = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const;
export type Namespaces = Readonly<Record<(typeof namespaceTypes)[number], string>>;

/** The namespaces of a process, as `user:[4026531837]`. */
export function namespacesOf(pid: number | 'self'): Namespaces {
  return Object.fromEntries(
    namespaceTypes.map((type) => [type, readlinkSync(`/proc/${pid}/ns/${type}`)]),
  ) as Namespaces;
}

/** A map of a process with single spaces: `0 65536 65536`. */
export function mapTextOf(pid: number | 'self', file: 'uid_map' | 'gid_map' = 'uid_map'): string {
  return readFileSync(`/proc/${pid}/${file}`, 'latin1')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '))
    .join('\n');
}

/** Field of /proc/PID/status as text. */
export function statusField(pid: number, field: string): string | undefined {
  return new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]?.trim();
}

/** Standard output of a shell script in the pod; the script must end with 0. */
export async function sh(pod: PodView, script: string, options: ExecOptions = {}): Promise<string> {
  const {stdout} = await pod.$(options)`sh -c ${script}`;
  return String(stdout);
}

/** Pid of a container's init as this machine sees it. */
export async function initOf(pod: PodView, container?: string): Promise<number> {
  const containers = await pod.containers();
  const found = container === undefined ? containers[0] : containers.find(({name}) => name === container);
  if (found?.pid === undefined) throw new Error(`no container ${container ?? ''} runs in pod ${pod.name}`);
  return found.pid;
}

/** Waits until a container has ended and answers its exit code. */
export async function exitOf(pod: PodView, container?: string): Promise<number> {
  const ended = await until(`container ${container ?? ''} of ${pod.name} ends`, async () => {
    const containers = await pod.containers();
    return containers.find(({name, state}) => state === 'EXITED' && (container === undefined || name === container));
  });
  return ended.exitCode;
}

/** A folder of root's that pods may see through a volume; removed at the end. */
export async function sharedFolder(t: ExecutionContext): Promise<string> {
  const folder = await dir({prefix: 'subroot-shared', unsafeCleanup: true});
  chmodSync(folder.path, 0o755);
  t.teardown(() => folder.cleanup());
  return folder.path;
}

/** The fields of a pod that mount a folder of this machine at /shared. */
export function sharing(path: string) {
  return {
    volumes: [{name: 'shared', hostPath: {path}}],
    volumeMounts: [{name: 'shared', mountPath: '/shared'}],
  };
}

/** The words and the libraries that busybox of this machine needs. */
const applets = [
  'sh',
  'ls',
  'cat',
  'id',
  'stat',
  'touch',
  'mkdir',
  'rm',
  'sleep',
  'echo',
  'env',
  'chown',
  'grep',
  'dd',
];
const libraries = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'];

/** A root file system of busybox in a temporary folder of root's, with /etc/passwd, /etc/motd (0644), and a 0755 /srv. */
export async function busyboxRoot(t: ExecutionContext): Promise<string> {
  const folder = await dir({prefix: 'subroot-image', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  chmodSync(folder.path, 0o755);
  for (const name of ['bin', 'etc', 'srv', 'tmp']) mkdirSync(join(folder.path, name));
  const linked = execFileSync('sh', ['-c', 'ldd /usr/bin/busybox 2>/dev/null || :'], {encoding: 'utf8'});
  const paths = [...linked.matchAll(/(\/\S+)/g)].map(([path]) => path);
  for (const path of new Set([...paths, ...(paths.length > 0 ? libraries : [])])) {
    try {
      mkdirSync(join(folder.path, path, '..'), {recursive: true});
      copyFileSync(path, join(folder.path, path));
      chmodSync(join(folder.path, path), 0o755);
    } catch {
      // Of the other architecture.
    }
  }
  copyFileSync('/usr/bin/busybox', join(folder.path, 'bin/busybox'));
  chmodSync(join(folder.path, 'bin/busybox'), 0o755);
  for (const name of applets) symlinkSync('busybox', join(folder.path, 'bin', name));
  writeFileSync(
    join(folder.path, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n',
  );
  writeFileSync(join(folder.path, 'etc/motd'), 'of the image\n');
  return folder.path;
}

/** Perl that takes inotify instances until it is refused or has enough, says how many and the errno, and holds them if it is to. */
export const inotifyScript = String.raw`
my ($arch, $enough, $hold) = @ARGV;
my $nr = {x64 => 294, arm64 => 26}->{$arch};
my ($got, $fd) = (0, 0);
while ($got < $enough && ($fd = syscall $nr, 0) >= 0) { $got++ }
my $errno = $fd < 0 ? $! + 0 : 0;
$| = 1;
print "$got $errno\n";
1 while $hold && sleep 1000;
`;
