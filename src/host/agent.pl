#!/usr/bin/perl
# The agent: executes plans. It is the one place where subroot's system calls happen.
#
#   agent.pl serve ARCH           resident: requests on fd 0, events on fd 1, dies (and kills what is bound to it) at end of file
#   agent.pl once ARCH FILE       one plan from FILE with our own standard streams; exits as the program does
#
# A request is one line of words: ID VERB WORD… [; STEP WORD…]…   Words are percent-encoded (see src/host/words.ts).
# A plan is the list of steps; every step is one rule of the kernel, named as the man pages name it. A step that fails ends
# the plan with its index, errno and text. Only perl-base is used: no module, nothing compiled of ours.
use strict;
use warnings;
no warnings 'portable';    # capability masks have more than 32 bits

our (%helper, $arch, %NR, %reader, %writer, %on_drain, $read_set, $write_set, %task, %by_pid, $events, %on_signal, %reaped, $idle);
our ($ENOENT, $EAGAIN, $EINTR, $ESRCH, $EACCES, $ENOTDIR, $CHUNK, $CLIENT_LIMIT);
(my $mode, $arch, my @rest) = @ARGV;
my ($here) = $0 =~ m{^(.*)/} or die "call me by my path\n";
require "$here/supervise.pl";

# What our caller had open (a lock, a folder of the host) ends at the next exec: no program of a pod ever holds it.
defined sys('close_range', 3, 0xffffffff, 4) or die "cannot close inherited descriptors: $!\n";    # CLOSE_RANGE_CLOEXEC, Linux 5.11

my %MS = (ro => 1, nosuid => 2, nodev => 4, noexec => 8, remount => 32, noatime => 1024, bind => 4096, rec => 16384,
  private => 1 << 18, slave => 1 << 19, shared => 1 << 20, relatime => 1 << 21);
my %NS = (user => 0x10000000, mnt => 0x20000, pid => 0x20000000, net => 0x40000000, ipc => 0x08000000, uts => 0x04000000,
  cgroup => 0x02000000);
my %SIG_NUMBER = (HUP => 1, INT => 2, QUIT => 3, KILL => 9, TERM => 15);

# ── system calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────

sub flags { my ($words, $table) = @_; my $bits = 0; for (split /,/, $words) { die {errno => 22, text => "unknown flag $_"} unless exists $table->{$_}; $bits += $table->{$_} } return $bits }

# A pidfd of exactly the process that had `start` (field 22 of /proc/PID/stat); pids are re-used within minutes.
sub pidfd_of {
  my ($pid, $start) = @_;
  my $fd = must('pidfd_open', $pid + 0, 0);
  my $seen = start_time($pid);
  if ($seen ne $start) { fd_close($fd); die {errno => $ESRCH, text => 'the process is gone'} }
  return $fd;
}
sub creds {
  my ($uid, $gid, $groups) = @_;
  if ($groups ne '-') {
    my @groups = split /,/, $groups;
    my $list = pack 'L*', @groups;
    must('setgroups', scalar @groups, @groups ? $list : 0);
  }
  must('setresgid', $gid + 0, $gid + 0, $gid + 0);
  must('setresuid', $uid + 0, $uid + 0, $uid + 0);
}

my $last_cap;
sub last_cap {
  return $last_cap if defined $last_cap;
  $last_cap = 40;
  if (open my $fh, '<', '/proc/sys/kernel/cap_last_cap') { $last_cap = <$fh> + 0 }
  return $last_cap;
}
# Bounding, then permitted = effective, inheritable and ambient sets, as hexadecimal masks.
sub bounding { my ($mask) = @_; my $nr = $NR{prctl}; for my $cap (0 .. last_cap()) { check(syscall($nr, 24, $cap, 0, 0, 0) != -1) unless $mask & (1 << $cap) } }
sub capabilities {
  my ($permitted, $inheritable, $ambient) = map { hex } @_;
  must('prctl', 47, 4) if last_cap();    # PR_CAP_AMBIENT_CLEAR_ALL
  my $header = pack 'L L', 0x20080522, 0;
  my @half = map { [$_ & 0xffffffff, ($_ >> 32) & 0xffffffff] } $permitted, $permitted, $inheritable;
  my $data = pack 'L6', (map { $_->[0] } @half), (map { $_->[1] } @half);
  must('capset', $header, $data);
  for my $cap (0 .. last_cap()) { must('prctl', 47, 2, $cap) if $ambient & (1 << $cap) }
}

# Passing one descriptor over a socket pair: the terminal's master travels from the pod to its supervisor.
sub send_fd {
  my ($socket, $fd) = @_;
  my $byte = 'x';
  my $iov = pack 'P Q', $byte, 1;
  my $control = pack 'Q l l l x4', 20, 1, 1, $fd;
  my $message = pack 'Q L x4 P Q P Q l x4', 0, 0, $iov, 1, $control, 24, 0;
  must('sendmsg', fileno $socket, $message, 0);
}
sub receive_fd {
  my ($socket) = @_;
  my $byte = "\0";
  my $iov = pack 'P Q', $byte, 1;
  my $control = "\0" x 24;
  my $message = pack 'Q L x4 P Q P Q l x4', 0, 0, $iov, 1, $control, 24, 0;
  my $got = sys('recvmsg', fileno $socket, $message, 0x40000000);    # MSG_CMSG_CLOEXEC
  return undef unless $got;
  my (undef, undef, undef, $fd) = unpack 'Q l l l', $control;
  open my $fh, '+<&=', $fd or return undef;
  return $fh;
}

# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

sub decode { my ($word) = @_; return '' if $word eq '%'; $word =~ s/%([0-9A-F]{2})/chr hex $1/ge; return $word }
sub encode { my ($text) = @_; return '%' if $text eq ''; $text =~ s/([^A-Za-z0-9_.\/:=,+@-])/sprintf '%%%02X', ord $1/ge; return $text }
sub words { return map { index($_, '%') < 0 ? $_ : decode($_) } split / /, $_[0] }
# Words up to the first bare ";", and the text of the steps between the others: whoever runs them reads them.
sub parse_request { my ($head, $steps) = split / ; /, $_[0], 2; return ([words($head)], $steps // '') }
sub parse_steps { return [split / ; /, $_[0]] }
sub options { my %o; for (@_) { my ($k, $v) = split /=/, $_, 2; $o{$k} = $v } return \%o }

# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

my %held;    # KEY → file handle of a user namespace that mounts are shifted by, in the process that runs the plan
our $host_mounts;    # the mount namespace that we were started in
# Runs something there and comes back.
sub in_host_mounts {
  my ($do) = @_;
  open my $here, '<', '/proc/self/ns/mnt' or check(0);
  must('setns', fileno $host_mounts, $NS{mnt});
  my @result = eval { $do->() };
  my $error = $@;
  must('setns', fileno $here, $NS{mnt});
  die $error if $error;
  return wantarray ? @result : $result[0];
}

my %tree;    # KEY → descriptor of a detached mount, in the process that runs the plan

sub write_once { my ($path, $text) = @_; open my $fh, '>', $path or check(0); my $n = syswrite $fh, $text; check(defined $n); close $fh }
sub mode_of { return oct $_[0] }
sub set_opaque { my ($path) = @_; my ($name, $value) = ('user.overlay.opaque', 'y'); must('setxattr', $path, $name, $value, 1, 0) }

my %STEP = (
  # namespaces and identity
  # A user namespace made as the pod's own base id, so that per-user budgets (inotify, namespaces, keys) are the pod's own:
  # "map" → the agent writes both maps, one write each → "go".
  newuserns => sub {
    my ($task, $uid, $gid, $groups, @maps) = @_;
    creds($uid, $gid, $groups);
    must('unshare', $NS{user});
    syswrite $task->{status}, join(' ', 'map', map { encode($_) } @maps) . "\n";
    sysread $task->{orders}, my $answer, 4096;
    my ($word, $errno, $text) = split / /, $answer // '', 3;
    die {errno => $errno // 0, text => $text // 'the agent is gone'} unless ($word // '') eq "go\n";
  },
  # Until our pid is on record, and never after it, we die with the agent (pdeathsig).
  outlive => sub {
    my ($task) = @_;
    sysread $task->{orders}, my $answer, 16;
    quit(125) unless ($answer // '') eq "go\n";
    must('prctl', 1, 0);
  },
  enterpid => sub { my ($task) = @_; must('setns', $task->{pidfd}, $NS{pid}) },
  join => sub { my ($task, $types) = @_; must('setns', $task->{pidfd}, flags($types, \%NS)) },
  unshare => sub { my ($task, $types) = @_; must('unshare', flags($types, \%NS)) },
  creds => sub { my ($task, @ids) = @_; creds(@ids) },
  hostname => sub { my ($task, $name) = @_; must('sethostname', $name, length $name) },
  loopback => sub {
    socket(my $socket, 2, 2, 0) or check(0);    # AF_INET, SOCK_DGRAM
    my $request = pack 'a16 s x22', 'lo', 0x41;    # IFF_UP | IFF_RUNNING
    check(defined ioctl $socket, 0x8914, $request);    # SIOCSIFFLAGS
  },
  sysctl => sub { my ($task, $path, $value) = @_; write_once("/proc/sys/$path", $value) },
  # mounts
  mount => sub { my ($task, $source, $target, $type, $flags, $data) = @_; must('mount', $source, $target, $type, flags($flags, \%MS), $data) },
  # A detached copy of a mount: tree KEY PATH FLAGS. rec: with the mounts below it; ro: read-only, those below too; rotop: itself alone;
  # private, slave, shared: how it hears of later mounts; idmap=KEY: ids shifted by a prepared namespace; host: the path is the machine's,
  # whose mounts we need not have seen.
  tree => sub {
    my ($task, $key, $path, $flags) = @_;
    my ($attr, $idmap, $rec, $top, $host, $propagation) = (0, undef, 0, 0, 0, 0);
    for (split /,/, $flags) {
      if (/^idmap=(.*)$/) { $idmap = $1 }
      elsif ($_ eq 'rec') { $rec = 0x8000 }
      elsif ($_ eq 'rotop') { $top = 1 }
      elsif ($_ eq 'host') { $host = 1 }
      elsif (/^(private|slave|shared)$/) { $propagation = $MS{$_} }
      else { $attr += $MS{$_} }
    }
    my $take = sub { must('open_tree', -100, $path, 1 + 0x80000 + $rec) };
    my $fd = $host ? in_host_mounts($take) : $take->();
    my $userns = 0;
    if (defined $idmap) { $attr += 0x100000; $userns = fileno $held{$idmap} }
    if ($attr || $propagation) { my $set = pack 'Q Q Q Q', $attr, 0, $propagation, $userns; must('mount_setattr', $fd, "", 0x1000 + $rec, $set, 32) }
    if ($top) { my $set = pack 'Q Q Q Q', 1, 0, 0, 0; must('mount_setattr', $fd, "", 0x1000, $set, 32) }
    $tree{$key} = $fd;
  },
  podtree => sub {    # a detached copy of a mount inside the pod's own mount namespace
    my ($task, $key, $path) = @_;
    open my $here, '<', '/proc/self/ns/mnt' or check(0);
    must('setns', $task->{pidfd}, $NS{mnt});
    my $fd = sys('open_tree', -100, $path, 1 + 0x80000);
    my $error = $! + 0;
    must('setns', fileno $here, $NS{mnt});
    $! = $error;
    check(defined $fd);
    $tree{$key} = $fd;
  },
  fs => sub {    # a new file system as a detached mount: fs KEY TYPE FLAGS OPTION…
    my ($task, $key, $type, $flags, @options) = @_;
    my $fs = must('fsopen', $type, 1);
    for (@options) {
      my ($name, $value) = split /=/, $_, 2;
      defined $value ? must('fsconfig', $fs, 1, $name, $value, 0) : must('fsconfig', $fs, 0, $name, 0, 0);
    }
    must('fsconfig', $fs, 6, 0, 0, 0);
    $tree{$key} = must('fsmount', $fs, 1, flags($flags, \%MS));
    fd_close($fs);
  },
  openuserns => sub { my ($task, $key, $pid) = @_; open $held{$key}, '<', "/proc/$pid/ns/user" or check(0) },
  attach => sub { my ($task, $key, $target) = @_; must('move_mount', $tree{$key}, "", -100, $target, 4 + 16); fd_close($tree{$key}) },
  umount => sub { my ($task, $target) = @_; must('umount2', $target, 2) },
  mask => sub {
    my ($task, $path) = @_;
    return unless -e $path;
    if (-d _) { must('mount', 'tmpfs', $path, 'tmpfs', 1 + 2 + 4 + 8, 'size=0,nr_inodes=2') } else { must('mount', '/dev/null', $path, '', 4096, '') }
  },
  readonly => sub {
    my ($task, $path) = @_;
    return unless -e $path;
    must('mount', $path, $path, '', 4096 + 16384, '');
    must('mount', '', $path, '', 4096 + 32 + 1 + 2 + 4 + 8, '');
  },
  pivot => sub {
    my ($task, $root) = @_;
    check(chdir $root);
    must('pivot_root', '.', '.');
    must('umount2', '.', 2);
    check(chdir '/');
  },
  # files of the new root
  mkdir => sub { my ($task, $path, $mode) = @_; return if mkdir $path, mode_of($mode) or -d $path; mkdir $path, mode_of($mode); check(0) },
  mkdirs => sub {
    my ($task, $path, $mode) = @_;
    my $so_far = '';
    for (grep { length } split /\//, $path) { $so_far .= "/$_"; next if -d $so_far; check(mkdir $so_far, mode_of($mode)) }
  },
  chmod => sub { my ($task, $path, $mode) = @_; check(chmod mode_of($mode), $path) },
  symlink => sub { my ($task, $target, $path) = @_; check(symlink $target, $path) },
  # What the marks of an image's layer say (.wh.NAME, .wh..wh..opq), as overlayfs knows it. FOLDER is relative to where we are, or empty.
  whiteout => sub {
    my ($task, $folder, $name) = @_;
    my $in = length $folder ? "$folder/" : '';
    my ($path, $mark) = ("$in$name", "$in.wh.$name");
    check(unlink $mark) unless !-l $mark && !-e _;
    if (!-l $path && -d _) { set_opaque($path) }    # the layer has another one instead
    elsif (!-l $path && !-e _) { must('mknodat', -100, $path, 0020000, 0) }
  },
  opaque => sub {
    my ($task, $folder) = @_;
    my $in = length $folder ? $folder : '.';
    my $mark = "$in/.wh..wh..opq";
    check(unlink $mark) unless !-l $mark && !-e _;
    set_opaque($in);
  },
  file => sub {
    my ($task, $path, $mode, $content) = @_;
    unlink $path if -l $path && !-e $path;    # an image's /etc/resolv.conf may lead to what is not there
    open my $fh, '>', $path or check(0);
    check(defined syswrite $fh, $content) if length $content;
    close $fh;
    check(chmod mode_of($mode), $path);
  },
  touch => sub { my ($task, $path) = @_; return if -e $path; sysopen my $fh, $path, 0101, 0644 or check(0) },    # O_WRONLY | O_CREAT
  # the program
  setsid => sub { must('setsid') },
  umask => sub { my ($task, $mask) = @_; umask mode_of($mask) },
  chdir => sub { my ($task, $path) = @_; check(chdir $path) },
  bounding => sub { my ($task, $mask) = @_; bounding(hex $mask) },
  capabilities => sub { my ($task, @masks) = @_; capabilities(@masks) },
  keepcaps => sub { must('prctl', 8, 1) },    # PR_SET_KEEPCAPS: over a change of uid; the exec clears it
  nonewprivs => sub { must('prctl', 38, 1) },
  seccomp => sub {
    my ($task, $flags, $hex) = @_;
    my $program = pack 'H*', $hex;
    my $filter = pack 'S x6 P', length($program) / 8, $program;    # struct sock_fprog
    must('seccomp', 1, $flags + 0, $filter);    # SECCOMP_SET_MODE_FILTER
  },
  pdeathsig => sub { my ($task, $signal) = @_; must('prctl', 1, $SIG_NUMBER{$signal}) },
  cgroup => sub { my ($task, @folders) = @_; write_once("$_/cgroup.procs", '0') for @folders },
  oomscore => sub { my ($task, $value) = @_; write_once('/proc/self/oom_score_adj', $value) },
  ignorechildren => sub { $SIG{CHLD} = 'IGNORE' },
  terminal => sub {    # a terminal of the pod's own devpts: its master goes to the supervisor, its slave becomes our streams
    my ($task, $uid, $gid, $rows, $columns, $console) = @_;
    open my $master, '+<', '/dev/pts/ptmx' or check(0);
    my $unlock = pack 'l', 0;
    check(defined ioctl $master, 0x40045431, $unlock);    # TIOCSPTLCK
    my $number = pack 'L', 0;
    check(defined ioctl $master, 0x80045430, $number);    # TIOCGPTN
    my $path = '/dev/pts/' . unpack 'L', $number;
    set_window($master, $rows, $columns);
    must('setsid');
    open my $slave, '+<', $path or check(0);
    chown $uid, $gid, $slave;
    if ($console && open my $point, '>', '/dev/console') { close $point; sys('mount', $path, '/dev/console', '', 4096, '') }
    my $steal = 0;
    check(defined ioctl $slave, 0x540E, $steal);    # TIOCSCTTY
    send_fd($task->{child_socket}, fileno $master);
    must('dup3', fileno $slave, $_, 0) for 0, 1;
    must('dup3', fileno $slave, 2, 0);
  },
);

sub get_window { my ($fh) = @_; my $size = pack 'S4', 0, 0, 0, 0; return ioctl($fh, 0x5413, $size) ? (unpack 'S4', $size)[0, 1] : (24, 80) }

# execve(2) with a search of PATH, as execvp(3) does it but for one thing: a file that is no program is ENOEXEC, not a shell script.
sub replace {
  my ($env, @words) = @_;
  my @env = map { "$_=$env->{$_}" } sort keys %$env;
  my ($argv, $envp) = map { pack('p*', @$_) . "\0" x 8 } \@words, \@env;
  my @folders = $words[0] =~ m{/} || $words[0] eq '' ? (undef) : split /:/, $env->{PATH} // '/usr/bin:/bin', -1;
  my $error = $ENOENT;
  for my $folder (@folders) {
    my $path = defined $folder ? ($folder eq '' ? $words[0] : "$folder/$words[0]") : $words[0];
    syscall $NR{execve}, $path, $argv, $envp;
    next if $! == $ENOENT || $! == $ENOTDIR;
    $error = $! + 0;
    last unless $error == $EACCES;
  }
  $! = $error;
  check(0);
}

# Runs the steps in this process; returns only from a plan without `exec`, which is the first part of a longer one. `fork` makes the
# rest run in a child (a new pid namespace takes effect only there); with CLONE_PARENT it is the supervisor's, and this process is no more.
sub run_steps {
  my ($task, $steps, $status) = @_;
  my $index = @$steps && $steps->[0] eq 'enterpid' ? -3 : -1;    # the agent's own two steps are not the plan's
  my $proc = sys('openat', -100, '/proc', 0x280000) // -1;    # O_PATH | O_CLOEXEC
  my (%env, $told);
  my $ok = eval {
    for my $step (@$steps) {
      $index++;
      my ($name, @words) = words($step);
      if ($name eq 'fork') {
        my $child = must('clone', 0x8000 + 17);
        quit(0) if $child;
        next;
      }
      if ($name eq 'whoami') {    # our pid as the supervisor sees it, whatever namespaces and root we have by now
        my ($self, $pid) = ('self', "\0" x 16);
        my $length = syscall($NR{readlinkat}, $proc, $self, $pid, 16);
        check($length != -1);
        check(defined syswrite $status, 'pid ' . substr($pid, 0, $length) . "\n");
        next;
      }
      if ($name eq 'env') { $env{$words[0]} = $words[1]; next }
      # Our supervisor may have died before we asked to die with it; then nobody reads this. A filter may forbid to write.
      if (($name eq 'exec' || $name eq 'seccomp') && !$told++) { check(defined syswrite $status, "exec\n") }
      if ($name eq 'exec') { replace(\%env, @words) }
      ($STEP{$name} or die {errno => 38, text => "unknown step $name"})->($task, @words);
    }
    1;
  };
  return if $ok;
  my $error = ref $@ ? $@ : {errno => 0, text => "$@"};
  syswrite $status, "fail $index $error->{errno} " . encode(substr $error->{text}, 0, 2000) . "\n";
  quit(125);
}
# ── supervising one program ─────────────────────────────────────────────────────────────────────────────────────────────────

my $starting = 0;    # tasks whose plan is not done yet

my ($own_pidns, $returns);
sub may_return {
  return $returns if defined $returns;
  open $own_pidns, '<', '/proc/self/ns/pid' or check(0);
  return $returns = defined sys('setns', fileno $own_pidns, $NS{pid}) ? 1 : 0;
}

# Options: sharedpid=1  nodepid=1  log=FILE  exitfile=FILE  pidfile=FILE  socket=DIR  stdin=1  stdinonce=1  tty=1  fifo=DIR  owner=UID:GID  in=PID:START  detached=1  hold=1
sub launch {
  my ($id, $option, $steps) = @_;
  my $t = {id => $id, option => $option, streams => {}, partial => {}, clients => {}};
  pipe(my $status_r, my $status_w) or check(0);
  my @ends;    # [descriptor in the child, handle]
  my @closing = ($status_w);
  $task{$id} = $t;
  if ($option->{in}) { $t->{pidfd} = pidfd_of(split /:/, $option->{in}) }
  my ($uid, $gid) = split /:/, $option->{owner} || '-:-';
  if ($option->{fifo}) { # opened by the child, below
  } elsif ($option->{tty}) {
    socketpair(my $ours, my $theirs, 1, 1, 0) or check(0);    # AF_UNIX, SOCK_STREAM
    $t->{socket} = $ours;
    $t->{child_socket} = $theirs;
    push @closing, $theirs;
  } elsif ($option->{log} || $option->{socket}) {
    for my $n (1, 2) {
      pipe(my $r, my $w) or check(0);
      chown $uid, $gid, $w if $uid ne '-';
      push @ends, [$n, $w];
      push @closing, $w;
      $t->{streams}{$n == 1 ? 'stdout' : 'stderr'} = $r;
    }
    if ($option->{stdin}) {
      pipe(my $r, my $w) or check(0);
      chown $uid, $gid, $r if $uid ne '-';
      nonblocking($w);
      $t->{stdin} = $w;
      push @ends, [0, $r];
      push @closing, $r;
    }
  }
  # Only a child is born into another pid namespace. Root of the machine goes there and back for the moment of the fork; root of an
  # outer namespace cannot come back, so its child goes and forks once more.
  my $enters = $t->{pidfd} && !$option->{nodepid};
  my $borrow = $enters && may_return();
  must('setns', $t->{pidfd}, $NS{pid}) if $borrow;
  my $pid = fork;
  my $fork_error = $! + 0;
  if (!defined $pid || $pid) { must('setns', fileno $own_pidns, $NS{pid}) if $borrow }
  if (!defined $pid) { $! = $fork_error; check(0) }
  if (!$pid) {
    plain_signals();
    $SIG{__WARN__} = sub { };    # standard error is the program's by now
    close $status_r;
    if ($option->{fifo}) {
      my @names = ('in', 'out', 'err');
      for my $n (0 .. 2) {
        my $path = "$option->{fifo}/$names[$n]";
        next unless -p $path;
        # Never waits for a reader: it was there, and if it is not now, it is dead.
        sysopen my $fh, $path, $n ? 1 + 2048 : 2048 or quit(125);
        fcntl $fh, 4, (fcntl $fh, 3, 0) & ~2048;
        chown $uid, $gid, $fh if $uid ne '-';
        push @ends, [$n, $fh];
      }
    }
    my %taken = map { $_->[0] => 1 } @ends;
    unless ($option->{inherit}) {
      open my $null, '+<', '/dev/null';
      for my $n (0 .. 2) { sys('dup3', fileno $null, $n, 0) unless $taken{$n} }
    }
    sys('dup3', fileno $_->[1], $_->[0], 0) for @ends;
    unshift @$steps, 'enterpid', 'fork' if $enters && !$borrow;
    # A handle that stays open here would keep another program's stream or the requests alive until the exec.
    run_steps($t, $steps, $status_w);
  }
  close $_ for @closing;
  fd_close(delete $t->{pidfd}) if $t->{pidfd};
  delete $t->{child_socket};
  # While the child is on its way:
  my $ok = eval {
    if ($option->{log}) { open $t->{log}, '>>', $option->{log} or die {errno => $! + 0, text => "$option->{log}: $!"}; chmod 0640, $option->{log} }
    listen_for_clients($t) if $option->{socket};
    1;
  };
  if (!$ok) { my $error = $@; kill 'KILL', $pid; close $status_r; die $error }
  return adopt($t, $pid, $status_r);
}
sub adopt {
  my ($t, $pid, $status) = @_;
  $task{$t->{id}} = $t;
  $by_pid{$pid} = $t;
  $t->{first} = $pid;
  $t->{lines} = '';
  $starting++;
  watch($status, sub { read_status($t, @_) });
  return $t;
}

# A worker is a fork of us that waits for the plan of a sandbox's holder. One is made ahead when nothing else is to be done, since
# a fork and the page faults after it cost as much as all namespaces together; one that has run the first part of its plan, up to
# its mapped user namespace, is a prepared range.
my $spare;
my %parked;    # id of the request that began its plan → worker
sub make_worker {
  pipe(my $status_r, my $status_w) or check(0);
  pipe(my $orders_r, my $orders_w) or check(0);
  my $pid = fork;
  check(defined $pid);
  if (!$pid) {
    # Copies of our descriptors would keep programs' streams open for as long as we wait.
    my $after = 3;
    for my $fd (sort { $a <=> $b } fileno $status_w, fileno $orders_r) { sys('close_range', $after, $fd - 1, 0) if $fd > $after; $after = $fd + 1 }
    sys('close_range', $after, 0xffffffff, 0);
    open my $null, '+<', '/dev/null';
    sys('dup3', fileno $null, $_, 0) for 0 .. 2;
    work($orders_r, $status_w);
  }
  close $status_w;
  close $orders_r;
  return {pid => $pid, status => $status_r, orders => $orders_w};
}
sub work {
  my ($orders, $status) = @_;
  my $task = {orders => $orders, status => $status};
  my $input = '';
  while (sysread $orders, $input, $CHUNK, length $input) {
    next unless $input =~ s/\n\z//;
    plain_signals();
    run_steps($task, parse_steps($input), $status);
    $SIG{INT} = $SIG{HUP} = 'IGNORE';
    syswrite $status, "parked\n";
    $input = '';
  }
  quit(0);
}
sub make_spare { return if $starting; $idle = undef; $spare ||= eval { make_worker() } }
# Has a worker run the next part of a plan. Options: key=KEY of a parked one.
sub start_holder {
  my ($id, $option, $steps) = @_;
  my $key = $option->{key};
  my $worker = defined $key ? delete $parked{$key} : $spare;
  die {errno => 9, text => "nothing is prepared as $key"} if defined $key && !$worker;
  if (!defined $key) { $spare = undef; $idle = \&make_spare }
  $worker ||= make_worker();
  my $t = {id => $id, option => $option, streams => {}, partial => {}, clients => {}, worker => $worker};
  adopt($t, $worker->{pid}, $worker->{status});
  write_all($worker->{orders}, "$steps\n");
  return $t;
}
sub write_maps {
  my ($t, @maps) = @_;
  my $pid = $t->{first};
  my $ok = eval {
    for my $kind ('uid_map', 'gid_map') {
      my $map = shift @maps;
      eval { write_once("/proc/$pid/$kind", decode($map)); 1 } or die {errno => $@->{errno}, text => "$kind: $@->{text}"};
    }
    1;
  };
  syswrite $t->{worker}{orders}, $ok ? "go\n" : "no $@->{errno} $@->{text}";
}
# The first part of a plan is done: the worker keeps what it has made until the rest comes.
sub park {
  my ($t, $fh) = @_;
  unwatch($fh);
  delete $task{$t->{id}};
  delete $by_pid{$t->{first}};
  $parked{$t->{id}} = $t->{worker};
  $starting--;
  $t->{on_end}->() if $t->{on_end};
  event($t->{id}, 'parked');
}

sub read_status {
  my ($t, $fh) = @_;
  my $n = sysread($fh, my $bytes, 4096);
  if ($n) {
    $t->{lines} .= $bytes;
    while ($t->{lines} =~ s/^(.*)\n//) {
      my ($word, @words) = split / /, $1;
      if ($word eq 'pid') {
        $t->{pid} = $words[0];
        $by_pid{$t->{pid}} = $t;
        if ($t->{pid} == $t->{first}) { $t->{status} = $t->{first_status} }
        elsif (my $early = delete $reaped{$t->{pid}}) { $t->{status} = $early->[0] }
        my @identity = ($t->{pid}, start_time($t->{pid}), $$, start_time($$));
        if ($t->{option}{pidfile} && !put_file($t->{option}{pidfile}, "@identity")) {
          # Whoever wanted it is gone, and its folder with it.
          event($t->{id}, 'fail', -1, $! + 0, encode("$t->{option}{pidfile}: $!"));
          $t->{failed} = 1;
          kill 'KILL', $t->{pid};
          next;
        }
        syswrite $t->{worker}{orders}, "go\n" if $t->{worker} && $t->{option}{detached};
        event($t->{id}, 'pid', @identity);
      } elsif ($word eq 'map') {
        write_maps($t, @words);
      } elsif ($word eq 'parked') {
        return park($t, $fh);
      } elsif ($word eq 'fail') { $t->{failed} = 1; event($t->{id}, 'fail', @words); $t->{on_fail}->(@words) if $t->{on_fail} }
    }
    return;
  }
  forget($fh);
  delete $t->{worker};
  $starting--;
  if ($t->{failed} || !$t->{pid}) {
    event($t->{id}, 'fail', -1, 0, encode('the process died before it reported')) unless $t->{failed};
    $t->{failed} = 1;
    end_task($t);
    return;
  }
  take_terminal($t) if $t->{option}{tty};
  if ($t->{option}{sharedpid} && open my $mntns, '<', "/proc/$t->{pid}/ns/mnt") { $t->{mntns} = $mntns }
  watch_streams($t) unless $t->{option}{hold};
  $t->{running} = 1;
  event($t->{id}, 'ready');
  $t->{on_ready}->() if $t->{on_ready};
  finish($t, $t->{status}) if defined $t->{status};
}

sub take_terminal {
  my ($t) = @_;
  my $master = receive_fd($t->{socket});
  close delete $t->{socket};
  return unless $master;
  nonblocking($master);
  $t->{master} = $t->{stdin} = $master;
  $t->{streams} = {stdout => $master};
}
# ── requests of the resident agent ──────────────────────────────────────────────────────────────────────────────────────────

my %bound;    # id → 1: killed with us
my %leftovers;    # path → 1: removed with us
our $has_mounts;    # volumes.pl has mounted something in our mount namespace: it is let go before what is around it is removed

# The descendants of a process and all of the session that it leads, in one pid namespace. Only who left both is missed.
sub family_of {
  my ($leader, $pidns) = @_;
  my @all = all_processes();
  my %in = ($leader => 1);
  for (my $before = 0; $before < keys %in;) {
    $before = keys %in;
    for (@all) { $in{$_->[0]} = 1 if $in{$_->[1]} || $_->[2] == $leader }
  }
  return grep { $in{$_} && (readlink("/proc/$_/ns/pid") // '') eq $pidns } map { $_->[0] } @all;
}

# Removes a folder of ours: plain files, sockets, FIFOs and folders; links are removed, never followed.
sub remove_tree {
  my ($path) = @_;
  return rmdir $path if $path =~ m{/$};    # only if it is empty
  if (!-l $path && -d _) {
    if (opendir my $dh, $path) { my @names = grep { !/^\.\.?$/ } readdir $dh; closedir $dh; remove_tree("$path/$_") for @names }
    return rmdir $path;
  }
  return unlink $path;
}
# As remove_tree, for what a pod had written: folders may lie so deep that no path leads there (PATH_MAX), so this goes step by step. In a
# child, which may stand where it likes.
sub remove_deep {
  my ($path) = @_;
  my $pid = fork;
  check(defined $pid);
  if ($pid) { waitpid $pid, 0; return }
  my @names;
  chdir $path or quit(1);
  while (1) {
    opendir my $dh, '.' or quit(1);
    my $below;
    for my $name (grep { !/^\.\.?$/ } readdir $dh) {
      if (!-l $name && -d _) { $below = $name; last }
      unlink $name or quit(1);
    }
    closedir $dh;
    if (defined $below) { push @names, $below; chdir $below or quit(1); next }
    last unless @names;
    chdir '..' or quit(1);
    rmdir pop @names or quit(1);
  }
  chdir '/';
  rmdir $path;
  quit(0);
}
sub remove_path {
  my ($path) = @_;
  release_mounts($path) if $has_mounts;
  return if remove_tree($path) || $path =~ m{/$} || -l $path || !-d _;
  remove_deep($path);
}

my %VERB = (
  start => sub {
    my ($id, $steps, @words) = @_;
    my $option = options(@words);
    if ($option->{detached} && !$option->{holder}) { detach($id, $option, parse_steps($steps)); return }
    $bound{$id} = 1 unless $option->{detached};
    my $t = eval { $option->{holder} ? start_holder($id, $option, $steps) : launch($id, $option, parse_steps($steps)) } or do {
      my $error = $@;
      delete $bound{$id};
      end_task($task{$id}) if $task{$id};
      die $error;
    };
    $t->{on_end} = sub { delete $bound{$id} };
  },
  hostname => sub {    # of a pod that already runs: a warm sandbox gets its name when it gets its pod
    my ($id, $steps, $pid, $start, $name) = @_;
    my $fd = pidfd_of($pid, $start);
    my $rename = sub { must('setns', $fd, $NS{uts}); must('sethostname', $name, length $name) };
    if (may_return()) {
      open my $own, '<', '/proc/self/ns/uts' or check(0);
      my $ok = eval { $rename->(); 1 };
      my $error = $@;
      must('setns', fileno $own, $NS{uts});
      fd_close($fd);
      die $error unless $ok;
    } else {    # root of an outer namespace cannot come back, so its child goes
      my $child = fork;
      check(defined $child);
      if (!$child) { eval { $rename->(); 1 } or quit($@->{errno}); quit(0) }
      waitpid $child, 0;
      my $errno = $? >> 8;
      fd_close($fd);
      if ($errno) { $! = $errno; check(0) }
    }
    event($id, 'ok');
  },
  kill => sub {
    my ($id, $steps, $pid, $start, $signal) = @_;
    my $fd = pidfd_of($pid, $start);
    my $ok = sys('pidfd_send_signal', $fd, $signal + 0, 0, 0);
    my $error = $! + 0;
    fd_close($fd);
    $! = $error;
    check(defined $ok);
    event($id, 'ok');
  },
  killtree => sub {    # a program that joined a container, and all that it started: killtree PID START INIT; START is - once it ended
    my ($id, $steps, $pid, $start, $init) = @_;
    fd_close(pidfd_of($pid, $start)) if $start ne '-';
    my $pidns = readlink("/proc/$init/ns/pid") // '';
    kill_all(sub { family_of($pid, $pidns) });
    event($id, 'ok');
  },
  local => sub { my ($id, $steps) = @_; my $i = 0; for (@{parse_steps($steps)}) { my ($name, @words) = words($_); eval { $STEP{$name}->({}, @words); 1 } or die {%{$@}, step => $i}; $i++ } event($id, 'ok') },
  fifos => sub {
    my ($id, $steps, @paths) = @_;
    for my $path (@paths) { my $p = $path; must('mknodat', -100, $p, 0010600, 0) }
    event($id, 'ok');
  },
  chown => sub { my ($id, $steps, $uid, $gid, @paths) = @_; check(chown $uid, $gid, $_) for @paths; event($id, 'ok') },
  remove => sub { my ($id, $steps, @paths) = @_; remove_path($_) for @paths; event($id, 'ok') },
  leftover => sub { my ($id, $steps, @paths) = @_; $leftovers{$_} = 1 for @paths },    # these two are told, not asked
  keep => sub { my ($id, $steps, @paths) = @_; delete $leftovers{$_} for @paths },
  # of volumes, see volumes.pl
  (map {
    my $verb = $_;
    $verb => sub { my ($id, $steps, @words) = @_; require "$here/volumes.pl"; event($id, 'ok', map { encode($_) } volume_verb($verb, @words)) };
  } qw(idmapprobe memory subpath)),
  (map {
    my $verb = $_;
    $verb => sub { my ($id, $steps, @words) = @_; require "$here/volumes.pl"; in_child($id, sub { raise_files(); volume_verb($verb, @words) }) };
  } qw(own shift usage)),
  ping => sub { my ($id) = @_; event($id, 'ok', $$, start_time($$)) },
);

# What may take long is a child's work: who waits for us meanwhile is a program that writes.
sub in_child {
  my ($id, $do) = @_;
  my $pid = fork;
  check(defined $pid);
  if ($pid) { $helper{$pid} = $id; return }
  my @words = eval { must('prctl', 1, 9); $do->() };    # PR_SET_PDEATHSIG
  my $error = $@;
  if ($error) { $error = {errno => 0, text => "$error"} unless ref $error; event($id, 'fail', -1, $error->{errno}, encode(substr $error->{text}, 0, 2000)) }
  else { event($id, 'ok', map { encode($_) } @words) }
  quit(0);
}

sub answer {
  my ($line) = @_;
  my ($head, $steps) = parse_request($line);
  my ($id, $verb, @words) = @$head;
  eval { ($VERB{$verb} or die {errno => 38, text => "unknown verb $verb"})->($id, $steps, @words); 1 } or do {
    my $error = ref $@ ? $@ : {errno => 0, text => "$@"};
    event($id, 'fail', $error->{step} // -1, $error->{errno}, encode(substr $error->{text}, 0, 2000));
  };
}

# A supervisor of one container that outlives us: a child that starts it, and then goes on as supervise.pl alone, in a third of the
# memory. The program stays its child.
sub detach {
  my ($id, $option, $steps) = @_;
  my $pid = fork;
  check(defined $pid);
  return if $pid;
  must('setsid');
  $SIG{HUP} = $SIG{INT} = 'IGNORE';
  $0 = "subroot-supervisor $id";
  own_poll();
  forget(\*STDIN);
  for my $fd (keys %reader) { forget($reader{$fd}[0]) }
  %task = %by_pid = %bound = %leftovers = ();
  for my $worker ($spare // (), values %parked) { close $worker->{orders} }
  ($spare, $idle, %parked) = ();
  eval { watch_signals(); launch($id, $option, $steps); 1 } or do {
    my $error = ref $@ ? $@ : {errno => 0, text => "$@"};
    event($id, 'fail', -1, $error->{errno}, encode(substr $error->{text}, 0, 2000));
    quit(125);
  };
  my $t = $task{$id};
  $t->{on_ready} = sub {
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $events = undef;
    supervise_alone($t) unless defined $t->{status};
  };
  loop(sub { !%task && !%writer });
  quit(0);
}

sub supervise_alone {
  my ($t) = @_;
  my @words = map { "$_=$t->{option}{$_}" } grep { defined $t->{option}{$_} } qw(exitfile socket stdinonce);
  my %handle = (%{$t->{streams}}, map { $_ => $t->{$_} } qw(stdin log listener master mntns));
  if ($t->{master}) { delete @handle{qw(stdin stdout)} }
  for my $name (keys %handle) {
    my $fh = $handle{$name} or next;
    fcntl $fh, 2, 0;    # F_SETFD: kept open over the exec
    push @words, "$name=" . fileno $fh;
  }
  exec $^X, "$here/supervise.pl", $arch, "id=$t->{id}", "pid=$t->{pid}", @words;
}

sub serve {
  my ($outer) = @_;
  $0 = 'subroot-agent';
  open $host_mounts, '<', '/proc/self/ns/mnt' or check(0);
  # Mounts made for our pods are ours alone; the machine's mount table does not change.
  must('unshare', $NS{mnt});
  must('mount', '', '/', '', $MS{rec} + $MS{slave}, '');
  $SIG{PIPE} = 'IGNORE';
  $SIG{INT} = $SIG{HUP} = 'IGNORE';    # the terminal's Ctrl-C is for whoever runs us; we go when our input ends
  watch_signals();
  my ($input, $ended) = ('', 0);
  watch(\*STDIN, sub {
    my $n = sysread(STDIN, my $bytes, $CHUNK);
    return if !defined $n && $! == $EINTR;
    if (!$n) { $ended = 1; return }
    $input .= $bytes;
    while ((my $end = index $input, "\n") >= 0) { my $line = substr $input, 0, $end; substr $input, 0, $end + 1, ''; answer($line) }
  });
  event('agent', 'up', $$, start_time($$));
  $idle = \&make_spare;
  loop(sub { $ended });
  $events = undef;
  unwatch(\*STDIN);
  # A holder whose worker has ended is our child, and its pid is on its way: waiting for the worker once more would never end.
  loop(sub { !grep { $bound{$_->{id}} && !$_->{pid} && defined $_->{first_status} } values %task });
  my %left = map { ($_->{pid} || $_->{first}) => 1 } grep { $bound{$_->{id}} && !defined $_->{status} } values %task;
  $left{$_->{pid}} = 1 for $spare // (), values %parked;
  kill 'KILL', keys %left;
  # In any order: a pod's pid 1 is gone only when all that ran below it has been waited for.
  while (%left) { my $pid = waitpid -1, 0; last if $pid < 0; delete $left{$pid} }
  kill_members($_->{mntns}) for grep { $_->{mntns} && $_->{option}{sharedpid} } values %task;
  for my $path (sort { length $b <=> length $a } keys %leftovers) { eval { remove_path($path) } }
  quit(0);
}

# ── becoming the root of an outer namespace, for those who are not root ─────────────────────────────────────────────────────

# "up" → the caller maps us (newuidmap, newgidmap, or our own id only) → "go"; then we are that namespace's root and start anew,
# so that what we fork belongs to it and not to the namespace in which this program was loaded.
sub enter_outer {
  my ($deny) = @_;
  defined sys('unshare', $NS{user}) or do { event('agent', 'fail', 'unshare', $! + 0, encode("$!")); exit 1 };
  event('agent', 'map', $$);
  my $go = <STDIN>;
  exit 1 unless defined $go && $go =~ /^go (\S+)/;
  my $groups = $1;
  eval { creds(0, 0, $groups); 1 } or do { event('agent', 'fail', 'creds', $@->{errno}, encode($@->{text})); exit 1 };
  exec $^X, $0, 'serve', $arch or exit 1;
}

# Root of an outer namespace that is there already: that of a pod which lives in it.
sub join_outer {
  my ($pid, $start, $groups) = @_;
  eval { hop($pid, $start, $groups eq '-' ? '-' : ''); 1 } or do { my $e = ref $@ ? $@ : {errno => 0, text => "$@"}; event('agent', 'fail', 'setns', $e->{errno}, encode($e->{text})); exit 1 };
  exec $^X, $0, 'serve', $arch or exit 1;
}
# From the owner's namespace into the outer one: the parent of the pod's namespace, or its own, when the pod shares the outer one.
sub hop {
  my ($pid, $start, $groups) = @_;
  my $pidfd = pidfd_of($pid, $start);
  open my $ns, '<', "/proc/$pid/ns/user" or check(0);
  my $parent = must('ioctl', fileno $ns, 0xb702);    # NS_GET_PARENT
  open my $own, '<', '/proc/self/ns/user' or check(0);
  open my $above, '<&=', $parent or check(0);
  must('setns', (stat $above)[1] == (stat $own)[1] ? fileno $ns : $parent, $NS{user});
  creds(0, 0, $groups);
  fd_close($pidfd);
}

# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

sub raw_terminal {
  my $old = "\0" x 64;
  ioctl STDIN, 0x5401, $old or return undef;    # TCGETS
  my ($iflag, $oflag, $cflag, $lflag) = unpack 'L4', $old;
  my $raw = $old;
  my @flags = ($iflag & ~02752, $oflag & ~01, ($cflag & ~0460) | 060, $lflag & ~0100113);
  substr $raw, 0, 16, pack 'L4', @flags;
  substr $raw, 17 + 6, 1, "\1";    # VMIN
  substr $raw, 17 + 5, 1, "\0";    # VTIME
  ioctl STDIN, 0x5402, $raw;
  return $old;
}
sub once {
  my ($file) = @_;
  my $starter = getppid;
  open my $fh, '<', $file or die "subroot agent: cannot read $file: $!\n";
  chomp(my $line = <$fh> // '');
  close $fh;
  my ($head, $text) = parse_request($line);
  my $steps = parse_steps($text);
  my ($id, $verb, @words) = @$head;
  my $option = options(@words);
  # With a terminal the file stays until the program runs or was refused, so that whoever types for us can wait for that.
  unlink $file unless $option->{tty};
  $events = undef;
  my $report = sub { my (@words) = @_; if (open my $out, '>', "$file.error") { syswrite $out, join(' ', @words) . "\n"; close $out } };
  my ($code, $t, $saved, $screen, $paused);
  my $leave = sub { unlink $file; ioctl STDIN, 0x5402, $saved if defined $saved; quit($_[0]) };
  if ($option->{tty}) {
    $saved = raw_terminal();    # at once: what is typed meanwhile is for the program
    # A description of our own: not to wait for the terminal concerns us, not the others who have it open.
    if (-t STDOUT && open $screen, '>', '/proc/self/fd/1') { nonblocking($screen) } else { $screen = undef }
  }
  my $ok = eval {
    hop(split(/:/, $option->{hop}), $option->{hopgroups}) if $option->{hop};
    # Whoever started us is killed: so are we, and the program with us. After the hop, since new ids make the kernel forget it.
    must('prctl', 1, 9);    # PR_SET_PDEATHSIG
    quit(125) if getppid != $starter;
    my $pass_on = sub { my ($number) = @_; kill $number, $t->{pid} || $t->{first} if $t };
    $on_signal{$_} = $pass_on for 1, 15;    # HUP, TERM
    $on_signal{28} = sub { set_window($t->{master}, get_window(\*STDIN)) if $t && $t->{master} } if $option->{tty};    # WINCH
    watch_signals();
    $SIG{PIPE} = 'IGNORE';
    $option->{inherit} = 1 unless $option->{tty};
    ($option->{rows}, $option->{columns}) = get_window(\*STDIN) if $option->{tty};
    for (@$steps) { s/^(terminal \S+ \S+) \S+ \S+/$1 $option->{rows} $option->{columns}/ if $option->{tty} }
    $t = launch($id, $option, $steps);
    1;
  };
  if (!$ok) { my $error = ref $@ ? $@ : {errno => 0, text => "$@"}; $report->('fail', -1, $error->{errno}, encode($error->{text})); $leave->(125) }
  $t->{on_fail} = sub { $report->('fail', @_); $code = 125 };
  $t->{on_end} = sub { $code //= $t->{code} // 125 };
  if ($option->{tty}) {
    # Never waits: who writes to us may wait for us to read. A program that writes more than the terminal takes waits instead.
    $t->{on_output} = sub {
      return write_all(\*STDOUT, $_[0]) unless $screen;
      my $waiting = send_to($screen, $_[0]);
      if ($waiting && $waiting > $CLIENT_LIMIT && $t->{master} && !$paused) { $paused = 1; unwatch($t->{master}) }
    };
    my $hang_up = sub {    # the terminal is gone: the program's goes too, and what ignores that dies with us
      unwatch(\*STDIN);
      delete $t->{stdin};
      delete $t->{streams}{stdout};
      forget(delete $t->{master}) if $t->{master};
      $SIG{ALRM} = 'DEFAULT';
      alarm 2;
    };
    $t->{on_ready} = sub {
      unlink $file;
      set_window($t->{master}, get_window(\*STDIN)) if $t->{master};
      watch(\*STDIN, sub {
        my $n = sysread(STDIN, my $bytes, $CHUNK);
        return if !defined $n && ($! == $EINTR || $! == $EAGAIN);
        if ($n) { send_to($t->{master}, $bytes) if $t->{master} }
        elsif (defined $saved) { $hang_up->() }
        else { unwatch(\*STDIN); send_to($t->{master}, "\4") if $t->{master} }
      });
    };
  } else {
    $SIG{INT} = $SIG{QUIT} = 'IGNORE';    # the terminal sends these to the program itself
  }
  loop(sub {
    my $is_behind = $screen && $writer{fileno $screen};
    if ($paused && !$is_behind) { $paused = 0; watch_streams($t) }
    return (defined $code || defined $t->{code}) && !$is_behind;
  });
  # What is not waited for stays in the pod's pid namespace as a zombie, and the pod cannot end before it is gone.
  1 while waitpid(-1, 0) > 0;
  $leave->($code // $t->{code});
}

if ($mode eq 'serve') { serve() }
elsif ($mode eq 'outer') { enter_outer() }
elsif ($mode eq 'join') { join_outer(@rest) }
elsif ($mode eq 'once') { once($rest[0]) }
else { die "usage: agent.pl serve|outer|join|once ARCH [WORD…]\n" }
