import type {IdMap} from '../../native-free/id-map.ts';
import {parseIdMap} from '../../native-free/id-map.ts';
import {runQuick} from './machine-run.ts';

/** What only a system call tells of a file. */
export interface PathProbe {
  /** system.posix_acl_access as hexadecimal; undefined: it has none, or it could not be read. */
  readonly acl?: string;
  readonly immutable?: boolean;
  /** Maps of the idmapped mount that it is on, from ids on disk to ours; undefined where the kernel (before 6.15) does not tell. */
  readonly idmap?: {readonly uid: IdMap; readonly gid: IdMap};
}

/**
 * getxattr(2), statx(2) and statmount(2) of descriptors of ours, in one run of perl. STATX_MNT_ID_UNIQUE 0x4000, STATX_ATTR_IMMUTABLE 0x10,
 * STATMOUNT_MNT_UIDMAP 0x2000, STATMOUNT_MNT_GIDMAP 0x4000, NS_GET_MNTNS_ID 0x8008b705; offsets are those of struct statx and struct statmount. Source:
 * include/uapi/linux/stat.h, include/uapi/linux/mount.h, 6.18.
 */
const script = String.raw`
my ($arch, $pid, $walked, @fds) = @ARGV;
my %getxattr = (x64 => 191, arm64 => 8, riscv64 => 8);
my %statx = (x64 => 332, arm64 => 291, riscv64 => 291);
my $nsid = pack 'Q', 0;
if (open my $ns, '<', "/proc/$walked/ns/mnt") { ioctl $ns, 0x8008b705, $nsid }
for my $fd (@fds) {
  my $path = "/proc/$pid/fd/$fd";
  my @words;
  if (my $nr = $getxattr{$arch}) {
    my $buffer = "\0" x 65536;
    my $size = syscall $nr, my $p = $path, my $n = 'system.posix_acl_access', $buffer, length $buffer;
    push @words, 'acl=' . unpack('H*', substr $buffer, 0, $size) if $size > 0;
  }
  if (my $nr = $statx{$arch}) {
    my $buffer = "\0" x 256;
    if (syscall($nr, -100, my $p = $path, 0, 0x4000, $buffer) == 0) {
      push @words, 'immutable=1' if unpack('Q', substr $buffer, 8, 8) & 0x10;
      my $id = unpack 'Q', substr $buffer, 144, 8;
      my $request = pack 'L2 Q3', 32, 0, $id, 0x6000, unpack 'Q', $nsid;
      my $answer = "\0" x 65536;
      if (syscall(457, $request, $answer, length $answer, 0) == 0) {
        my ($mask) = unpack 'Q', substr $answer, 8, 8;
        my ($un, $uo, $gn, $go) = unpack 'L4', substr $answer, 152, 16;
        for ([0x2000, 'uid', $un, $uo], [0x4000, 'gid', $gn, $go]) {
          my ($bit, $name, $count, $offset) = @$_;
          next unless $mask & $bit and $count;
          my @lines = (split /\0/, substr $answer, 512 + $offset)[0 .. $count - 1];
          push @words, "$name=" . join ',', map { tr/ /:/r } @lines;
        }
      }
    }
  }
  print "@words\n";
}
`;

/** What can be told of each descriptor, walked in the mount namespace of `pid`; an empty object where perl is missing or nothing is special. */
export function probePaths(
  perl: string | undefined,
  pid: number | 'self',
  fds: readonly number[],
): readonly PathProbe[] {
  if (perl === undefined || fds.length === 0) return fds.map(() => ({}));
  const {stdout} = runQuick(perl, ['-e', script, process.arch, String(process.pid), String(pid), ...fds.map(String)]);
  const lines = stdout.split('\n');
  return fds.map((_, index) => parseProbeLine(lines[index] ?? ''));
}

/** Reads a line of the script: words `acl=HEX`, `immutable=1`, `uid=0:100000:65536,…`, `gid=…`. */
export function parseProbeLine(line: string): PathProbe {
  const words = new Map(
    line.split(' ').flatMap((word) => {
      const [name = '', value] = word.split('=');
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  const acl = words.get('acl');
  const uid = readMap(words.get('uid'));
  const gid = readMap(words.get('gid'));
  return {
    ...(acl === undefined ? {} : {acl}),
    ...(words.get('immutable') === '1' ? {immutable: true} : {}),
    ...(uid === undefined || gid === undefined ? {} : {idmap: {uid, gid}}),
  };
}

function readMap(word: string | undefined): IdMap | undefined {
  if (word === undefined) return undefined;
  const parsed = parseIdMap(word.replaceAll(':', ' ').replaceAll(',', '\n'), {untranslated: 'keep'});
  return parsed.ok ? parsed.map : undefined;
}
