import {runQuick} from './machine-run.ts';

/**
 * What only a system call can tell, asked of perl in one run: its version, security.capability of files, and for processes the chain of
 * user namespaces above theirs with each one's owner (NS_GET_PARENT 0xb702, NS_GET_OWNER_UID 0xb704; ioctl_ns(2)), as far as we may look.
 */
const script = String.raw`
my ($arch, @words) = @ARGV;
my $getxattr = {x64 => 191, arm64 => 8, riscv64 => 8, arm => 229, ia32 => 229, s390x => 227, ppc64 => 212}->{$arch};
printf "perl %vd\n", $^V;
sub inode { my @s = stat $_[0]; return $s[1] }
for my $word (@words) {
  my ($kind, $what) = $word =~ /^(file|pid):(.*)$/s or next;
  if ($kind eq 'file') {
    next unless defined $getxattr;
    my $buffer = "\0" x 64;
    my $size = syscall $getxattr, my $path = $what, my $name = 'security.capability', $buffer, length $buffer;
    print "file ", unpack('H*', $what), ' ', unpack('H*', substr $buffer, 0, $size), "\n" if $size > 0;
    next;
  }
  open my $ns, '<', "/proc/$what/ns/user" or next;
  my @chain;
  while ($ns) {
    my $owner = pack 'L', 0;
    my $known = ioctl $ns, 0xb704, $owner;
    push @chain, inode($ns) . ':' . (defined $known ? unpack('L', $owner) : '');
    my $fd = ioctl $ns, 0xb702, 0;
    last if !defined $fd or @chain > 40;
    open my $parent, '<&=', $fd or last;
    $ns = $parent;
  }
  print "pid $what @chain\n" if @chain;
}
`;

/** A user namespace in a chain, by inode number; `owner` is a uid as we see it (65534 when it has no name here). */
export interface ProbedNamespace {
  readonly inode: number;
  readonly owner: number | undefined;
}

export interface Probe {
  /** `5.36.0`. */
  readonly perlVersion: string;
  /** By path: the bytes of security.capability in hexadecimal. */
  readonly fileCapabilities: ReadonlyMap<string, string>;
  /** By pid: its own user namespace, its parent, and so on up to ours or as far as the kernel lets us look. */
  readonly chains: ReadonlyMap<number, readonly ProbedNamespace[]>;
}

/** Asks perl; undefined when it does not run. */
export function probe(
  perl: string,
  ask: {readonly files?: readonly string[]; readonly pids?: readonly number[]},
): Probe | undefined {
  const words = [...(ask.files ?? []).map((path) => `file:${path}`), ...(ask.pids ?? []).map((pid) => `pid:${pid}`)];
  const {exitCode, stdout} = runQuick(perl, ['-e', script, process.arch, ...words]);
  return exitCode === 0 ? parseProbe(stdout) : undefined;
}

/** Reads what the script prints. */
export function parseProbe(text: string): Probe | undefined {
  const fileCapabilities = new Map<string, string>();
  const chains = new Map<number, readonly ProbedNamespace[]>();
  let perlVersion: string | undefined;
  for (const line of text.split('\n')) {
    const [kind, first = '', ...rest] = line.split(' ');
    if (kind === 'perl') perlVersion = first;
    else if (kind === 'file') fileCapabilities.set(Buffer.from(first, 'hex').toString('utf8'), rest[0] ?? '');
    else if (kind === 'pid') chains.set(Number(first), rest.map(parseNamespace));
  }
  return perlVersion === undefined ? undefined : {perlVersion, fileCapabilities, chains};
}

function parseNamespace(word: string): ProbedNamespace {
  const [inode, owner] = word.split(':');
  return {inode: Number(inode), owner: owner === undefined || owner === '' ? undefined : Number(owner)};
}
