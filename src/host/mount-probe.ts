import type {MountFact} from '../doctor/facts.ts';
import {runQuick} from './machine-run.ts';

/** Whether a mount can be mounted again with shifted ids, found out by doing it to a copy that is nowhere. */
export interface MountTry {
  readonly point: string;
  readonly type: string;
  readonly source: string;
  /** `unknown`: it could not be tried, or did not answer in time. */
  readonly answer: 'yes' | 'no' | 'unknown';
  /** The errno of the call that refused, or why it was not tried; null for `yes`. */
  readonly why: string | null;
}

/** More mounts than this are not tried. */
const MAX_TRIED = 200;

/**
 * For each path a clone of its mount (open_tree 428 with OPEN_TREE_CLONE) gets the ids of a user namespace of our own (mount_setattr 442
 * with MOUNT_ATTR_IDMAP), and is let go: it is never attached. All this in a child with a mount namespace of its own; its end undoes the
 * rest. A line per path: number, call, errno (0: taken). Source: mount_setattr(2).
 */
const script = String.raw`
my ($arch, @paths) = @ARGV;
my ($unshare) = {x64 => 272}->{$arch} // 97;
$| = 1;
sub fail { print "- $_[0] ", $! + 0, "\n"; exit }
syscall($unshare, 0x20000) == 0 or fail('unshare');
pipe my $ready, my $tell or fail('pipe');
pipe my $go, my $let or fail('pipe');
my $child = fork // fail('fork');
if (!$child) { close $ready; close $let; syscall($unshare, 0x10000000) == 0 and syswrite $tell, 'x'; sysread $go, my $byte, 1; exit }
close $tell; close $go;
sysread $ready, my $byte, 1 or fail('unshare');
for my $file (qw(uid_map gid_map)) {
  open my $map, '>', "/proc/$child/$file" or fail('open');
  syswrite $map, "0 1 1\n" or fail('write');
}
open my $userns, '<', "/proc/$child/ns/user" or fail('open');
my $attr = pack 'Q4', 0x100000, 0, 0, fileno $userns;
for my $at (0 .. $#paths) {
  my $tree = syscall 428, -100, my $path = $paths[$at], 1 | 02000000;
  if ($tree < 0) { print "$at open_tree ", $! + 0, "\n"; next }
  my $taken = syscall 442, $tree, my $empty = '', 0x1000, $attr, length $attr;
  print "$at mount_setattr ", $taken == 0 ? 0 : $! + 0, "\n";
  open my $close, '<&=', $tree;
}
`;

/** Tries every mount that is not hidden, once for each file system and type; without root nothing can be tried. */
export function tryMounts(mounts: readonly MountFact[], perl: string | undefined): readonly MountTry[] {
  const chosen = visibleMounts(mounts);
  const tried = chosen.slice(0, MAX_TRIED);
  const answers = perl === undefined ? new Map<number, readonly [call: string, errno: number]>() : ask(perl, tried);
  const general = perl === undefined ? 'there is no perl' : answers.get(-1);
  return chosen.map(({point, type, source, options}, index) => {
    const base = {point, type, source};
    if (options.includes('idmapped')) return {...base, answer: 'yes', why: null};
    const answer = answers.get(index);
    if (answer === undefined)
      return {
        ...base,
        answer: 'unknown',
        why:
          typeof general === 'string'
            ? general
            : general === undefined
              ? 'no answer in time'
              : `${general[0]}: ${errnoWord(general[1])}`,
      };
    const [call, errno] = answer;
    if (errno === 0) return {...base, answer: 'yes', why: null};
    // EINVAL of mount_setattr is the file system's own no; anything else says who asked, or where.
    const isNo = call === 'mount_setattr' && errno === EINVAL;
    return {...base, answer: isNo ? 'no' : 'unknown', why: `${call}: ${errnoWord(errno)}`};
  });
}

/** File systems in which the kernel shows itself: none is a volume of a pod. */
const kernelTypes =
  /^(?:proc|sysfs|cgroup2?|devpts|devtmpfs|mqueue|securityfs|debugfs|tracefs|bpf|pstore|configfs|fusectl|binfmt_misc|autofs|nsfs|efivarfs|selinuxfs|rpc_pipefs)$/;

/** Whether a file system of that type holds files of people. */
export function holdsFiles(type: string): boolean {
  return !kernelTypes.test(type);
}

const EINVAL = 22;
const errnoWords: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  13: 'EACCES',
  22: 'EINVAL',
  38: 'ENOSYS',
  28: 'ENOSPC',
};

function errnoWord(errno: number): string {
  return errnoWords[errno] ?? `errno ${errno}`;
}

function ask(perl: string, mounts: readonly MountFact[]): ReadonlyMap<number, readonly [call: string, errno: number]> {
  const {stdout} = runQuick(perl, ['-e', script, process.arch, ...mounts.map(({point}) => point)]);
  return parseTries(stdout);
}

/** Reads what the script prints; `-` stands for all of them and is -1. */
export function parseTries(text: string): ReadonlyMap<number, readonly [call: string, errno: number]> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const match = /^(-|\d+) (\w+) (\d+)$/.exec(line);
      if (match === null) return [];
      const [, at = '', call = '', errno = ''] = match;
      return [[at === '-' ? -1 : Number(at), [call, Number(errno)] as const] as const];
    }),
  );
}

/** The mounts that a path leads to: of several on one point the last; one for each device and type. */
export function visibleMounts(mounts: readonly MountFact[]): readonly MountFact[] {
  const top = new Map(mounts.map((mount) => [mount.point, mount]));
  const seen = new Set<string>();
  return [...top.values()].filter(({device, type, options}) => {
    const key = `${device} ${type} ${options.includes('idmapped')}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
