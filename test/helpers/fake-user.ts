import {chmodSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';

/** A user who exists only in mount namespaces of the test's own: this machine's files are not touched. */
export interface FakeUser {
  readonly uid: number;
  readonly name: string;
  /** Words before a program that run it as this user. */
  readonly prefix: readonly string[];
}

const script = [
  'mount --bind "$1/passwd" /etc/passwd',
  'mount --bind "$1/group" /etc/group',
  'mount --bind "$1/subuid" /etc/subuid',
  'mount --bind "$1/subgid" /etc/subgid',
  'eval "$3"',
  'uid=$2',
  'shift 3',
  'exec setpriv --reuid="$uid" --regid="$uid" --clear-groups -- "$@"',
].join(' && ');

/**
 * Makes such a user. `subuid` and `subgid` are the text of those files, where NAME stands for the user's name; `before` is a shell
 * command of root's in that mount namespace. With `account` false the id has no entry in /etc/passwd.
 */
export async function fakeUser(
  t: ExecutionContext,
  grants: {subuid?: string; subgid?: string; before?: string; account?: boolean} = {},
): Promise<FakeUser> {
  const folder = await dir({prefix: 'subroot-etc', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  chmodSync(folder.path, 0o755);
  const uid = 610_000 + Math.floor(Math.random() * 80_000);
  const name = `anna${uid}`;
  const {subuid = '', subgid = subuid, before = ':', account = true} = grants;
  const write = (file: string, text: string) => writeFileSync(join(folder.path, file), text, {mode: 0o644});
  write(
    'passwd',
    `${readFileSync('/etc/passwd', 'utf8')}${account ? `${name}:x:${uid}:${uid}::/nonexistent:/bin/sh\n` : ''}`,
  );
  write('group', `${readFileSync('/etc/group', 'utf8')}${account ? `${name}:x:${uid}:\n` : ''}`);
  write('subuid', subuid.replaceAll('NAME', name));
  write('subgid', subgid.replaceAll('NAME', name));
  const prefix = [
    'unshare',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    script,
    'sh',
    folder.path,
    String(uid),
    before,
  ];
  return {uid, name, prefix};
}

/** Words before a program that run it in a mount namespace of its own, after a shell command of root's there. */
export function inOwnMounts(command: string): readonly string[] {
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', `${command} && exec "$@"`, 'sh'];
}

const userNamespaceScript = String.raw`
  my ($arch, $first, $size, $then, @program) = @ARGV;
  pipe my $up_r, my $up_w;
  pipe my $go_r, my $go_w;
  my $pid = fork;
  if (!$pid) {
    close $up_r;
    close $go_w;
    syscall({x64 => 272, arm64 => 97}->{$arch}, 0x10000000 + 0x20000) == 0 or die "unshare: $!";
    syswrite $up_w, "x";
    sysread $go_r, my $byte, 1;
    ($), $() = ("0 0", 0);
    ($<, $>) = (0, 0);
    exec "sh", "-c", "$then && exec \"\$@\"", "sh", @program;
  }
  close $up_w;
  sysread $up_r, my $byte, 1;
  for my $kind ("uid_map", "gid_map") {
    open my $fh, ">", "/proc/$pid/$kind" or die;
    defined syswrite $fh, "0 $first $size" or die "$kind: $!";
  }
  syswrite $go_w, "x";
  close $_ for $go_w, *STDIN, *STDOUT;
  waitpid $pid, 0;
  exit($? >> 8 || ($? & 127 ? 137 : 0));
`;

/**
 * Words before a program that run it as root of a new user namespace (and of mounts of its own) whose ids 0…size−1 are first… here,
 * after a shell command in it.
 */
export function inUserNamespace(first: number, size: number, then = ':'): readonly string[] {
  return ['perl', '-e', userNamespaceScript, process.arch, String(first), String(size), then];
}
