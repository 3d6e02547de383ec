#!/usr/bin/perl
# The attacker of a check: one process with exactly the credentials of one arm, which tries what it is told and says what the kernel
# answered. It decides nothing. Only perl-base is used: no module, nothing compiled of ours.
#
#   attacker.pl ARCH      a setup line on fd 0, then requests; answers on fd 1; it ends, with all that it started, at end of file
#
# A line is words (see src/host/words.ts), and ` ; ` ends each of its parts:
#   setup ; STEP WORD…                    → up PID START | fail INDEX ERRNO STEP
#   ID TIMEOUT_MS MODE ; CALL KEY HOW ARG… → ID op INDEX RESULT ERRNO OUT…  for each call, then  ID end HOW
# A request's calls run in a child of its own, one after the other, until one that must succeed does not. MODE `hold` keeps the child
# where it is afterwards, as a victim or as the holder of a budget, until `ID 0 release`.
# CALL is a system call by its name in the man pages, or one of %OWN. An ARG is a number, `sTEXT`, `bHEX` (bytes; `+OFFSET:HEX` puts the
# address of others into them), `BHEX` (the same, read back), `oSIZE` (room for an answer) or `rKEY` (the result of an earlier call).
use strict;
use warnings;
no warnings 'portable';
$| = 1;

my ($arch) = @ARGV;
my %NR = map { my ($name, $x64, $arm64) = split /:/; $arch eq 'arm64' ? ($arm64 eq '-' ? () : ($name => $arm64)) : ($name => $x64) } qw(
  read:0:63 write:1:64 close:3:57 mmap:9:222 ioctl:16:29 openat:257:56 getdents64:217:61 fcntl:72:25 flock:73:32 pipe2:293:59
  truncate:76:45 ftruncate:77:46 fchmodat:268:53 fchownat:260:54 utimensat:280:88 unlinkat:263:35 mkdirat:258:34 renameat2:316:276
  linkat:265:37 symlinkat:266:36 mknodat:259:33 readlinkat:267:78 faccessat:269:48 chdir:80:49 fchdir:81:50 chroot:161:51
  setxattr:188:5 fsetxattr:190:7 getxattr:191:8 removexattr:197:14 name_to_handle_at:303:264 open_by_handle_at:304:265
  mount:165:40 umount2:166:39 fsopen:430:430 fsconfig:431:431 fsmount:432:432 move_mount:429:429 open_tree:428:428 mount_setattr:442:442
  swapon:167:224 swapoff:168:225 reboot:169:142 sethostname:170:161 setdomainname:171:162 acct:163:89 quotactl:179:60
  init_module:175:105 kexec_load:246:104 iopl:172:- syslog:103:116 bpf:321:280 perf_event_open:298:241 adjtimex:159:171
  fanotify_init:300:262 fanotify_mark:301:263 userfaultfd:323:282 mlock:149:228 inotify_init1:294:26 inotify_add_watch:254:27
  sched_setscheduler:144:119 sched_setaffinity:203:122 setpriority:141:140 ioprio_set:251:30 prlimit64:302:261
  socket:41:198 bind:49:200 connect:42:203 listen:50:201 sendto:44:206 setsockopt:54:208
  kill:62:129 rt_sigqueueinfo:129:138 pidfd_open:434:434 pidfd_send_signal:424:424 ptrace:101:117
  process_vm_readv:310:270 process_vm_writev:311:271 kcmp:312:272 move_pages:279:239 setns:308:268 unshare:272:97
  setgroups:116:159 setresuid:117:147 setresgid:119:149 setfsuid:122:151 capset:126:91 prctl:157:167 keyctl:250:219 add_key:248:217
  shmget:29:194 shmat:30:196 shmctl:31:195 msgget:68:186 msgctl:71:187 semget:64:190 semctl:66:191 mq_open:240:180 mq_unlink:241:181
  setsid:112:157 getpid:39:172 memfd_create:319:279 rt_sigprocmask:14:135 exit_group:231:94 clone:56:220 close_range:436:436
);
my %NS = (user => 0x10000000, mnt => 0x20000, pid => 0x20000000, net => 0x40000000, ipc => 0x08000000, uts => 0x04000000,
  cgroup => 0x02000000);

sub decode { my ($word) = @_; return '' if $word eq '%'; $word =~ s/%([0-9A-F]{2})/chr hex $1/ge; return $word }
sub encode { my ($text) = @_; return '%' if $text eq ''; $text =~ s/([^A-Za-z0-9_.\/:=,+@-])/sprintf '%%%02X', ord $1/ge; return $text }
sub parts { return map { [map { decode($_) } split / /] } split / ; /, $_[0] }

# -1 and $! where the kernel has no such call on this machine, as the kernel itself says it.
sub sys {
  my ($name, @args) = @_;
  if (!defined $NR{$name}) { $! = 38; return -1 }
  push @args, 0 while @args < 6;
  return syscall($NR{$name}, @args);
}
sub must { my $result = sys(@_); die {errno => $! + 0, call => $_[0]} if $result == -1; return $result }
sub check { my ($ok, $call) = @_; die {errno => $! + 0, call => $call} unless $ok }
sub start_time {
  my ($pid) = @_;
  open my $fh, '<', "/proc/$pid/stat" or return '';
  my $line = <$fh> // '';
  return $line =~ /^.*\) (.*)$/s ? (split / /, $1)[19] : '';
}
sub flags { my $bits = 0; $bits += $NS{$_} for split /,/, $_[0]; return $bits }

my %value;    # KEY → a descriptor or another result, of the setup and of the request that runs

# ── who we are ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

my $pidfd = -1;    # of the pod's process, taken before anything hides it
my $last_cap = 40;
if (open my $fh, '<', '/proc/sys/kernel/cap_last_cap') { $last_cap = <$fh> + 0; close $fh }

sub credentials {
  my ($uid, $gid, $groups) = @_;
  my @groups = split /,/, $groups;
  my $list = pack 'L*', @groups, 0;
  must('setgroups', scalar @groups, $list);
  must('setresgid', $gid + 0, $gid + 0, $gid + 0);
  must('setresuid', $uid + 0, $uid + 0, $uid + 0);
}
my %SETUP = (
  # Copies of the machine's namespaces that the initial user namespace owns, as it owns the machine's, and a file system for canaries in
  # the first. All of it ends with its last process.
  stage => sub {
    my ($folder) = @_;
    must('unshare', flags('mnt,net,uts,ipc'));
    my ($none, $root, $tmpfs, $mode) = ('none', '/', 'tmpfs', 'mode=0755');
    must('mount', $none, $root, '', 16384 + (1 << 18), '');
    must('mount', $tmpfs, $folder, $tmpfs, 0, $mode);
    socket(my $socket, 2, 2, 0) or check(0, 'socket');
    my $up = pack 'a16 s x22', 'lo', 0x41;
    check(defined ioctl($socket, 0x8914, $up), 'ioctl');
  },
  process => sub {
    my ($pid, $start) = @_;
    $pidfd = must('pidfd_open', $pid + 0, 0);
    die {errno => 3, call => 'pidfd_open'} unless start_time($pid) eq $start;
  },
  join => sub { must('setns', $pidfd, flags($_[0])) },
  # The last of the joins: from here on the process may do what the pod's root may. Our own groups go first; the pod's namespace may deny it.
  user => sub {
    my ($how) = @_;
    my $none = pack 'L', 0;
    must('setgroups', 0, $none);
    must('setns', $pidfd, $NS{user}) if $how eq 'join';
    must('setresgid', 0, 0, 0);
    must('setresuid', 0, 0, 0);
  },
  credentials => \&credentials,
  keep => sub { my ($key, $path, $flags) = @_; $value{$key} = must('openat', -100, $path, $flags + 0, 0) },
  pidfd => sub { my ($key, $pid) = @_; $value{$key} = must('pidfd_open', $pid + 0, 0) },
  capabilities => sub {
    my $mask = hex $_[0];
    for my $cap (0 .. $last_cap) { must('prctl', 24, $cap, 0, 0, 0) unless $mask & (1 << $cap) }
    my $header = pack 'L L', 0x20080522, 0;
    my @half = ($mask & 0xffffffff, ($mask >> 32) & 0xffffffff);
    my $data = pack 'L6', $half[0], $half[0], 0, $half[1], $half[1], 0;
    must('capset', $header, $data);
  },
);

# ── what is tried ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

my @alive;    # buffers whose addresses the kernel was given
sub bytes {
  my ($text) = @_;
  my ($own, @pointers) = split /\+/, $text;
  my $bytes = pack 'H*', $own;
  for (@pointers) {
    my ($offset, $hex) = split /:/;
    my $inner = pack('H*', $hex) . "\0";
    push @alive, \$inner;
    substr $bytes, $offset, 8, pack 'P', $inner;
  }
  return $bytes;
}
sub text_of { my ($text) = @_; $text =~ s/\{(\w+)\}/exists $value{$1} ? $value{$1} : "{$1}"/ge; return $text }
# The argument as syscall() takes it: strings by address, and never one that was written in this program, since the kernel may write to it.
sub argument {
  my ($word) = @_;
  my ($kind, $rest) = (substr($word, 0, 1), substr $word, 1);
  if ($kind eq 's') { my $text = text_of($rest) . "\0"; return \$text }
  if ($kind eq 'b' || $kind eq 'B') { my $bytes = bytes($rest); return \$bytes }
  if ($kind eq 'o') { my $room = "\0" x $rest; return \$room }
  if ($kind eq 'r') { return defined $value{$rest} ? $value{$rest} + 0 : -1 }
  return $word + 0;
}
sub plain { my ($word) = @_; return $word =~ /^s/ ? text_of(substr $word, 1) : $word =~ /^r/ ? $value{substr $word, 1} : $word }

my %OWN = (
  # run PROGRAM WORD…: its exit status (128 + signal), and what it wrote
  run => sub {
    my @argv = map { plain($_) } @_;
    pipe(my $r, my $w) or return -1;
    my $pid = fork // return -1;
    if (!$pid) {
      sys('prctl', 1, 9);
      open STDIN, '<', '/dev/null';
      open STDOUT, '>&', $w;
      open STDERR, '>&', $w;
      { no warnings; exec {$argv[0]} @argv }
      sys('exit_group', 100 + ($! == 13 ? 13 : $! == 1 ? 1 : 2));
    }
    close $w;
    my $output = '';
    while (length $output < 3000 && sysread $r, $output, 1024, length $output) { }
    close $r;
    waitpid $pid, 0;
    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $output);
  },
  # the rest happens in a child: a new pid namespace begins with one
  fork => sub {
    my $pid = fork // return -1;
    if ($pid) { waitpid $pid, 0; sys('exit_group', 0) }
    sys('prctl', 1, 9);
    return 0;
  },
  # a child that dies of a signal: what waitpid(2) said of it
  crash => sub {
    my ($signal) = @_;
    my $pid = fork // return -1;
    if (!$pid) { $SIG{QUIT} = 'DEFAULT'; kill $signal, $$; select undef, undef, undef, 1 while 1 }
    waitpid $pid, 0;
    return $?;
  },
  # how many processes may be made, at most; they live until this one ends
  forks => sub {
    my ($limit) = @_;
    my ($count, $maker) = (0, $$);
    for (1 .. $limit) {
      my $pid = fork;
      last unless defined $pid;
      if (!$pid) {
        sys('prctl', 1, 9);
        sys('exit_group', 0) if getppid() != $maker;    # it was dead before we asked to die with it
        sys('close_range', 0, 0xffffffff, 0);
        select undef, undef, undef, 1000 while 1;
      }
      $count++;
    }
    return $count;
  },
  # repeat LIMIT CALL ARG…: how often it succeeds, at most; `%d` in a text is the turn's number
  repeat => sub {
    my ($limit, $call, @args) = @_;
    my $count = 0;
    for my $turn (1 .. $limit) {
      my @now = map { my $word = $_; $word =~ s/%d/$turn/ if $word =~ /^s/; argument($word) } @args;
      last if sys(substr($call, 1), map { ref $_ ? $$_ : $_ } @now) == -1;
      $count++;
    }
    return $count;
  },
  # how many pipes of full size, at most: beyond its budget a user gets smaller ones (pipe(7))
  pipes => sub {
    my ($limit) = @_;
    my $count = 0;
    for (1 .. $limit) {
      my $ends = pack 'l2', 0, 0;
      last if syscall($NR{pipe2}, $ends, 0x800, 0, 0, 0, 0) == -1;
      my ($r) = unpack 'l2', $ends;
      last if sys('fcntl', $r, 1032, 0) < 65536;
      $count++;
    }
    return $count;
  },
  # uid gid mode(octal) nlink size, as lstat(2) says here
  lstat => sub { my @s = lstat plain($_[0]); return @s ? (0, sprintf '%d %d %o %d %d', @s[4, 5, 2, 3, 7]) : -1 },
  content => sub { open my $fh, '<', plain($_[0]) or return -1; my $text = ''; return defined sysread($fh, $text, 1024) ? (length $text, $text) : -1 },
  # 1 when a file has that text in it
  contains => sub {
    my ($path, $text) = map { plain($_) } @_;
    open my $fh, '<', $path or return -1;
    local $/;
    return index(<$fh> // '', $text) >= 0 ? 1 : 0;
  },
  # idmap SOURCE TARGET NS: mounts SOURCE on TARGET with the ids that a user namespace, open as NS, shifts them by
  idmap => sub {
    my ($source, $target) = map { plain($_) . "\0" } @_[0, 1];
    my $ns = argument($_[2]);
    my $empty = "\0";
    my $tree = sys('open_tree', -100, $source, 1 + 0x80000);
    return -1 if $tree == -1;
    my $attributes = pack 'Q4', 0x100000, 0, 0, $ns;
    return -1 if sys('mount_setattr', $tree, $empty, 0x1000, $attributes, 32) == -1;
    return sys('move_mount', $tree, $empty, -100, $target, 4);
  },
  # a text in our memory: its address
  secret => sub { my $text = plain($_[0]); push @alive, \$text; return unpack 'Q', pack 'P', $text },
  block => sub { my $all = pack 'Q', ~0; return sys('rt_sigprocmask', 2, $all, 0, 8) },
  # LOOP_CONFIGURE with the descriptor of the backing file put into its struct
  loopconfig => sub {
    my ($loop, $file, $config) = map { argument($_) } @_;
    substr $$config, 0, 4, pack 'L', $file;
    return sys('ioctl', $loop, 0x4c0a, $$config);
  },
  # the kernel's answer to a netlink request
  ack => sub {
    my $fd = argument($_[0]);
    my $bits = '';
    vec($bits, $fd, 1) = 1;
    if (!select $bits, undef, undef, 2) { $! = 110; return -1 }
    open my $socket, '+<&', $fd or return -1;
    defined recv $socket, my $answer, 8192, 0 or return -1;
    my (undef, $type) = unpack 'L S', $answer;
    my $error = $type == 2 ? unpack 'x16 l', $answer : 0;
    if ($error) { $! = -$error; return -1 }
    return 0;
  },
);

my $out;    # a descriptor of its own: programs get others
my $depth = $$;
sub report { syswrite $out, join(' ', @_) . "\n" }

sub attempt {
  my ($id, @calls) = @_;
  my $index = -1;
  for (@calls) {
    my ($call, $key, $how, @args) = @$_;
    $index++;
    my ($result, @texts);
    $! = 0;
    if ($OWN{$call}) { ($result, @texts) = $OWN{$call}->(@args) }
    else {
      my @now = map { argument($_) } @args;
      # A copy would be given to the kernel otherwise, and its answer lost.
      my @flat = map { ref $_ ? $$_ : $_ } @now;
      push @flat, 0 while @flat < 6;
      if (!defined $NR{$call}) { $! = 38; $result = -1 }
      else { $result = syscall($NR{$call}, $flat[0], $flat[1], $flat[2], $flat[3], $flat[4], $flat[5]) }
      my $errno = $! + 0;
      for my $i (0 .. $#args) { push @texts, substr $flat[$i], 0, 1024 if $args[$i] =~ /^[oB]/ }
      $! = $errno;
    }
    my $errno = $result == -1 ? $! + 0 : 0;
    $value{$key} = $result if $key ne '-' && $result != -1;
    report($id, 'op', $index, $result, $errno, map { encode($_) } @texts);
    return if $result == -1 && $how eq '!';
  }
}

my %held;    # id → pid
sub request {
  my ($head, @calls) = @_;
  my ($id, $timeout, $mode) = @$head;
  if ($mode eq 'release') {
    my $pid = delete $held{$id};
    if ($pid) { kill 'KILL', -$pid, $pid; waitpid $pid, 0 }
    report($id, 'end', 'released');
    return;
  }
  pipe(my $r, my $w) or die;
  my $pid = fork;
  if (!defined $pid) { report($id, 'end', 'unforked', $! + 0); return }
  if (!$pid) {
    close $r;
    sys('prctl', 1, 9);
    sys('exit_group', 1) if getppid() != $depth && getppid() != 0;
    setpgrp;
    attempt($id, @calls);
    if ($mode eq 'hold') { syswrite $w, 'h'; close $w; select undef, undef, undef, 1000 while 1 }
    sys('exit_group', 0);
  }
  close $w;
  my $bits = '';
  vec($bits, fileno $r, 1) = 1;
  my $ready = select $bits, undef, undef, $timeout / 1000;
  my $said = '';
  sysread $r, $said, 1 if $ready > 0;
  close $r;
  if ($said eq 'h') { $held{$id} = $pid; report($id, 'end', 'held', $pid); return }
  kill 'KILL', $pid unless $ready > 0;
  waitpid $pid, 0;
  my $signal = $? & 127;
  kill 'KILL', -$pid;    # whatever it left
  report($id, 'end', $ready > 0 ? ($signal ? ('signal', $signal) : 'done') : 'timeout');
}

# ── the conversation ────────────────────────────────────────────────────────────────────────────────────────────────────────────

open my $answers, '>&', \*STDOUT or die;
$out = $answers;
sys('prctl', 1, 9);    # PR_SET_PDEATHSIG: forgotten with a change of credentials, and asked for again below
my $setup = <STDIN> // exit 1;
chomp $setup;
my (undef, @steps) = parts($setup);
my $at = 0;
for (@steps) {
  my ($name, @words) = @$_;
  if (!eval { ($SETUP{$name} or die {errno => 38, call => $name})->(@words); 1 }) {
    my $error = ref $@ ? $@ : {errno => 0, call => encode("$@")};
    report('fail', $at, $error->{errno}, $error->{call});
    exit 1;
  }
  $at++;
}
sys('prctl', 4, 1);    # PR_SET_DUMPABLE: /proc/PID is then its own, as that of a program started in the pod
sys('prctl', 1, 9);
report('up', $$);
while (defined(my $line = <STDIN>)) {
  chomp $line;
  request(parts($line));
}
kill 'KILL', -$_, $_ for values %held;
sys('exit_group', 0);
