#!/usr/bin/perl
# The supervisor's half of the agent: the event loop, a program's streams into its log and to whoever is attached, and its exit on
# record. agent.pl requires it; a container that outlives us gets it as a process of its own, without the rest:
#
#   supervise.pl ARCH WORD…    id=ID pid=PID exitfile=FILE socket=DIR … and the descriptors it was given: stdout=3 stderr=4 …
use strict;
use warnings;
our ($arch, $main_words);
if (!caller) { ($arch, my @words) = @ARGV; $main_words = \@words }

our %NR = $arch eq 'arm64'
  ? (mount => 40, umount2 => 39, pivot_root => 41, unshare => 97, setns => 268, prctl => 167, capset => 91, setresuid => 147,
     setresgid => 149, setgroups => 159, clone => 220, sethostname => 161, signalfd4 => 74, rt_sigprocmask => 135,
     clock_gettime => 113, sendmsg => 211, recvmsg => 212, exit_group => 94, mknodat => 33, dup3 => 24, setsid => 157,
     close => 57, setxattr => 5, ioctl => 29, openat => 56, readlinkat => 78, execve => 221, seccomp => 277, epoll_create1 => 20, epoll_ctl => 21,
     epoll_pwait => 22)
  : (mount => 165, umount2 => 166, pivot_root => 155, unshare => 272, setns => 308, prctl => 157, capset => 126, setresuid => 117,
     setresgid => 119, setgroups => 116, clone => 56, sethostname => 170, signalfd4 => 289, rt_sigprocmask => 14,
     clock_gettime => 228, sendmsg => 46, recvmsg => 47, exit_group => 231, mknodat => 259, dup3 => 292, setsid => 112,
     close => 3, setxattr => 188, ioctl => 16, openat => 257, readlinkat => 267, execve => 59, seccomp => 317, epoll_create1 => 291, epoll_ctl => 233,
     epoll_pwait => 281);
%NR = (%NR, pidfd_send_signal => 424, open_tree => 428, move_mount => 429, fsopen => 430, fsconfig => 431, fsmount => 432,
  pidfd_open => 434, close_range => 436, mount_setattr => 442);


our ($ENOENT, $EAGAIN, $EINTR, $ESRCH, $EACCES, $ENOTDIR) = (2, 11, 4, 3, 13, 20);
our $CHUNK = 65536;
our $LOG_LINE = 16384;    # CRI: longer lines are split
our $CLIENT_LIMIT = 1 << 20;    # bytes an attached client may lag behind before it is let go

# ── system calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

# The result of a system call, or undef with $! set. Strings are passed by address, so they are copied to be modifiable.
sub sys {
  my ($name, @args) = @_;
  push @args, 0 while @args < 6;
  my $result = syscall($NR{$name}, @args);
  return $result == -1 ? undef : $result;
}
sub must { my $result = sys(@_); die {errno => $! + 0, text => "$!"} unless defined $result; return $result }
sub check { my ($ok) = @_; die {errno => $! + 0, text => "$!"} unless $ok; return $ok }
sub now_ns { my $buffer = "\0" x 16; syscall($NR{clock_gettime}, 0, $buffer);    # not sys(): it copies
  my ($s, $ns) = unpack 'q q', $buffer; return ($s, $ns) }
sub stamp {
  my ($s, $ns) = now_ns();
  my @t = gmtime $s;
  return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%09dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0], $ns;
}

sub start_time {
  my ($pid) = @_;
  open my $fh, '<', "/proc/$pid/stat" or return '';
  my $line = <$fh>;
  return '' unless defined $line && $line =~ /^.*\) (.*)$/s;
  my @fields = split / /, $1;
  return $fields[0] =~ /[ZX]/ ? '' : $fields[19];
}
sub fd_close { my ($fd) = @_; sys('close', $fd) }

sub quit { sys('exit_group', $_[0]) }

sub set_window { my ($fh, $rows, $columns) = @_; my $size = pack 'S4', $rows, $columns, 0, 0; ioctl $fh, 0x5414, $size }

# ── the event loop ──────────────────────────────────────────────────────────────────────────────────────────────────────────

our %reader;    # descriptor → [handle, callback]
our %writer;    # descriptor → [handle, pending bytes, close when empty]
our %on_drain;    # descriptor → what to do when all pending bytes are written
our ($read_set, $write_set) = ('', '');    # for select(2): what epoll(7) does not take, and what could not be written at once
our %task;    # id → task
our %by_pid;
our $events = \*STDOUT;

# Three descriptors a container, thousands in all: only epoll(7) costs the same for each event however many there are.
our $poll;    # the epoll instance; a fork shares it with us, and must have its own before it lets go of anything
my $EVENT = $arch eq 'arm64' ? 'L x4 Q' : 'L Q';    # struct epoll_event is packed on x86-64 only
sub poll_fd { return $poll //= must('epoll_create1', 0x80000) }    # EPOLL_CLOEXEC
sub own_poll { fd_close($poll) if defined $poll; $poll = undef }
# What was found ready, less what was watched or let go since: a descriptor that is closed and made anew while others of the
# same round are served has the old one's number, and reading it would block us for ever.
our %ready;
sub watch {
  my ($fh, $callback) = @_;
  my $fd = fileno $fh;
  $reader{$fd} = [$fh, $callback];
  delete $ready{$fd};
  my $event = pack $EVENT, 1, $fd;    # EPOLLIN; hanging up and errors are always told
  # EEXIST: it is watched already. EPERM: a plain file, which is always ready.
  vec($read_set, $fd, 1) = 1 unless defined sys('epoll_ctl', poll_fd(), 1, $fd, $event) || $! == 17;
}
sub unwatch {
  my ($fh) = @_;
  my $fd = fileno $fh;
  return unless defined $fd;
  delete $ready{$fd};
  return unless delete $reader{$fd};
  vec($read_set, $fd, 1) = 0;
  sys('epoll_ctl', $poll, 2, $fd, 0) if defined $poll;
}
# Descriptors of %reader that are ready, after at most so many milliseconds (-1: no limit), as keys of %ready. False when none is.
sub poll_readers {
  my ($timeout) = @_;
  my $events = "\0" x (64 * 16);
  my $n = syscall $NR{epoll_pwait}, poll_fd(), $events, 64, $timeout, 0, 8;
  %ready = ();
  return 0 if $n <= 0;
  my @words = unpack "($EVENT)$n", $events;
  $ready{$words[$_ * 2 + 1]} = 1 for 0 .. $n - 1;
  return $n;
}
sub forget { my ($fh) = @_; return unless defined $fh && defined fileno $fh; unwatch($fh); my $fd = fileno $fh; delete $writer{$fd}; vec($write_set, $fd, 1) = 0; close $fh }
sub nonblocking { my ($fh) = @_; my $flags = fcntl $fh, 3, 0; fcntl $fh, 4, $flags | 2048 }
sub send_to {
  my ($fh, $bytes) = @_;
  my $fd = fileno $fh;
  return unless defined $fd;
  my $entry = $writer{$fd} ||= [$fh, '', 0];
  $entry->[1] .= $bytes;
  flush_to($fd);
  return length(($writer{$fd} || [0, ''])->[1]);
}
sub flush_to {
  my ($fd) = @_;
  my $entry = $writer{$fd} or return;
  while (length $entry->[1]) {
    my $n = syswrite $entry->[0], $entry->[1], $CHUNK;
    if (!defined $n) {
      next if $! == $EINTR;
      if ($! == $EAGAIN) { vec($write_set, $fd, 1) = 1; return }
      $entry->[1] = '';
      last;
    }
    substr $entry->[1], 0, $n, '';
  }
  vec($write_set, $fd, 1) = 0;
  delete $writer{$fd};
  if (my $drained = delete $on_drain{$fd}) { $drained->() }
  forget($entry->[0]) if $entry->[2];
}
sub close_after { my ($fh) = @_; my $fd = fileno $fh; return unless defined $fd; if ($writer{$fd}) { $writer{$fd}[2] = 1; unwatch($fh) } else { forget($fh) } }
sub event { my (@words) = @_; my $line = join(' ', @words) . "\n"; syswrite $events, $line if $events }

# Signals arrive as bytes on a descriptor, so none can slip in between a test and the wait for it.
our $signals;
our %on_signal = (17 => \&reap);
sub watch_signals {
  my ($mask, $buffer) = (0, '');
  $mask += 1 << ($_ - 1) for keys %on_signal;
  $mask = pack 'Q', $mask;
  must('rt_sigprocmask', 0, $mask, 0, 8);
  my $fd = must('signalfd4', -1, $mask, 8, 0x80000 + 0x800);
  open $signals, '<&=', $fd or die;
  watch($signals, sub {
    while (sysread $signals, $buffer, 128) { my $handler = $on_signal{unpack 'L', $buffer}; $handler->(unpack 'L', $buffer) if $handler }
  });
}
sub plain_signals { my $mask = pack 'Q', 0; $SIG{$_} = 'DEFAULT' for qw(PIPE INT HUP QUIT TERM WINCH); sys('rt_sigprocmask', 2, $mask, 0, 8) }
our %reaped;    # pid → [status, when] of a program that ended before we had read its pid; short-lived, since pids come again
our %helper;    # pid of a child that works on a request → the request
sub reap {
  my $now = time;
  for (keys %reaped) { delete $reaped{$_} if $now - $reaped{$_}[1] > 5 }
  while ((my $pid = waitpid -1, 1) > 0) {
    my $status = $?;
    my $t = delete $by_pid{$pid};
    if (defined(my $id = delete $helper{$pid})) { event($id, 'fail', -1, 5, encode("the child that worked on it died ($status)")) if $status }
    elsif (!$t) { $reaped{$pid} = [$status, $now] }
    elsif (!$t->{pid}) { $t->{first_status} = $status }
    elsif ($t->{pid} == $pid) { finish($t, $status) }
  }
}
our $idle;    # what to do after 5 ms of nothing, if anything
sub loop {
  my ($until) = @_;
  until ($until->()) {
    my ($r, $w) = ($read_set, $write_set);
    if ("$r$w" =~ /[^\0]/) {
      vec($r, poll_fd(), 1) = 1;
      my $n = select $r, $w, undef, $idle ? 0.005 : undef;
      $idle->() if $n == 0;
      next if $n <= 0;
      for my $fd (keys %writer) { flush_to($fd) if vec $w, $fd, 1 }
      poll_readers(0);
      for my $fd (keys %reader) { $ready{$fd} = 1 if vec($r, $fd, 1) && vec $read_set, $fd, 1 }
    } elsif (!poll_readers($idle ? 5 : -1)) { $idle->() if $idle; next }
    for my $fd (keys %ready) { next unless $ready{$fd}; my $entry = $reader{$fd} or next; $entry->[1]->($entry->[0]) }
  }
}

# ── supervising one program ─────────────────────────────────────────────────────────────────────────────────────────────────

sub watch_streams {
  my ($t) = @_;
  for my $name (keys %{$t->{streams}}) {
    my $fh = $t->{streams}{$name};
    nonblocking($fh);
    watch($fh, sub { pump($t, $name, $fh) });
  }
}
# One read of a stream into the log and to whoever is attached. False at the end of the stream.
sub pump {
  my ($t, $name, $fh) = @_;
  my $n = sysread($fh, my $bytes, $CHUNK);
  if (!defined $n && ($! == $EAGAIN || $! == $EINTR)) { return 1 }
  if (!$n) {    # a terminal's master says EIO when its last slave is closed
    delete $t->{streams}{$name};
    $t->{master} ? unwatch($fh) : forget($fh);
    return 0;
  }
  log_bytes($t, $name, $bytes) if $t->{log};
  broadcast($t, $name eq 'stdout' ? 1 : 2, $bytes);
  $t->{on_output}->($bytes) if $t->{on_output};
  return 2;
}

# CRI log records: `TIME STREAM TAG CONTENT`, F for a whole line, P for a part of one.
sub log_bytes {
  my ($t, $name, $bytes) = @_;
  my $time = stamp();
  my $data = (delete $t->{partial}{$name} // '') . $bytes;
  my $end = rindex $data, "\n";
  my $rest = substr $data, $end + 1, length($data), '';
  my $out = '';
  if (length $data) {
    if ($data =~ /^[^\n]{$LOG_LINE}[^\n]/m) {
      while ($data =~ /\G(.*)\n/g) {
        my $line = $1;
        $out .= "$time $name P " . substr($line, 0, $LOG_LINE, '') . "\n" while length $line > $LOG_LINE;
        $out .= "$time $name F $line\n";
      }
    } else {
      my $prefix = "$time $name F ";
      $data =~ s/^/$prefix/mg;
      $out = $data;
    }
  }
  $out .= "$time $name P " . substr($rest, 0, $LOG_LINE, '') . "\n" while length $rest > $LOG_LINE;
  $t->{partial}{$name} = $rest if length $rest;
  write_all($t->{log}, $out) if length $out;
}
sub write_all {
  my ($fh, $bytes) = @_;
  while (length $bytes) {
    my $n = syswrite $fh, $bytes, $CHUNK;
    if (defined $n) { substr $bytes, 0, $n, ''; next }
    if ($! == $EAGAIN) { my $w = ''; vec($w, fileno $fh, 1) = 1; select undef, $w, undef, undef; next }
    last unless $! == $EINTR;
  }
}

# A file that is there whole or not at all; false with $! when it cannot be written.
sub put_file {
  my ($path, $text) = @_;
  open my $fh, '>', "$path.tmp" or return 0;
  my $written = syswrite $fh, $text;
  close $fh;
  return defined $written && $written == length $text && rename "$path.tmp", $path;
}
# Living processes as [pid, parent, session].
sub all_processes {
  opendir my $dh, '/proc' or return;
  return map {
    my ($pid, $line) = ($_, '');
    if (open my $fh, '<', "/proc/$pid/stat") { $line = <$fh> // '' }
    $line =~ /^.*\) [^ZX] (\d+) \d+ (\d+)/s ? [$pid, $1, $2] : ();
  } grep { /^\d+$/ } readdir $dh;
}
# Kills what is found until nothing is: whoever forks meanwhile is found the next time.
sub kill_all {
  my ($find) = @_;
  for (1 .. 200) {
    my @pids = $find->() or return;
    kill 'KILL', @pids;
    select undef, undef, undef, 0.002;
  }
}
# What a container leaves in its mount namespace, when its pid namespace is the pod's and does not end with it. The namespace was held
# open, so that no other can have its number.
sub kill_members {
  my ($mntns) = @_;
  my $name = 'mnt:[' . (stat $mntns)[1] . ']';
  kill_all(sub { grep { (readlink("/proc/$_/ns/mnt") // '') eq $name } map { $_->[0] } all_processes() });
  close $mntns;
}

sub finish {
  my ($t, $status) = @_;
  if (!$t->{running} && !$t->{failed}) { $t->{status} = $status; return }    # wait for the status pipe's end first
  if ($t->{option}{hold} && !$t->{met}) { $t->{status} = $status; return }    # its output waits for the one who asked for it
  return if $t->{finished}++;
  if (my $mntns = delete $t->{mntns}) { kill_members($mntns) }
  for my $name (keys %{$t->{streams}}) { my $fh = $t->{streams}{$name}; 1 while (pump($t, $name, $fh) || 0) == 2 }
  for my $name (sort keys %{$t->{partial}}) { write_all($t->{log}, stamp() . " $name P $t->{partial}{$name}\n") if $t->{log} }
  my $signal = $status & 127;
  my $code = $signal ? 128 + $signal : $status >> 8;
  my ($s, $ns) = now_ns();
  my $finished = sprintf '%d%09d', $s, $ns;
  if (my $file = $t->{option}{exitfile}) {
    put_file($file, "{\"exitCode\":$code,\"signal\":$signal,\"finishedAt\":\"$finished\"}\n");
  }
  $t->{code} = $code;
  event($t->{id}, 'exit', $code, $signal, $finished);
  broadcast($t, 5, pack 'C', $code & 255);
  end_task($t);
}
sub end_task {
  my ($t) = @_;
  close_after($_->{fh}) for values %{$t->{clients}};
  forget($t->{listener}) if $t->{listener};
  unlink "$t->{option}{socket}/attach.sock" if $t->{option}{socket};
  forget($_) for values %{$t->{streams}};
  for my $key (qw(stdin master log socket)) { my $fh = delete $t->{$key} or next; forget($fh) if defined fileno $fh }
  delete $task{$t->{id}};
  $t->{on_end}->() if $t->{on_end};
}

# ── attach: frames of TYPE(1 byte) LENGTH(4 bytes, network order) BYTES ─────────────────────────────────────────────────────
# 0 stdin · 1 stdout · 2 stderr · 3 resize (rows, columns: 2 bytes each) · 4 end of stdin · 5 exit code (1 byte)

sub listen_for_clients {
  my ($t) = @_;
  my $dir = $t->{option}{socket};
  unlink "$dir/attach.sock";
  opendir my $dh, $dir or check(0);
  my $path = '/proc/self/fd/' . dirfd($dh) . '/attach.sock';    # sun_path holds 108 bytes only
  socket(my $listener, 1, 1, 0) or check(0);
  my $old = umask 0177;
  my $ok = bind $listener, pack 'S a108', 1, $path;
  my $error = $! + 0;
  umask $old;
  $! = $error;
  die {errno => $! + 0, text => "$dir/attach.sock: $!"} unless $ok;
  check(listen $listener, 16);
  nonblocking($listener);
  $t->{listener} = $listener;
  watch_listener($t);
}
sub watch_listener {
  my ($t) = @_;
  my $listener = $t->{listener};
  watch($listener, sub {
    accept(my $client, $listener) or return;
    nonblocking($client);
    my $c = {fh => $client, input => ''};
    $t->{clients}{fileno $client} = $c;
    watch($client, sub { read_client($t, $c) });
    if ($t->{option}{hold} && !$t->{met}++ && $t->{running}) {
      watch_streams($t);
      finish($t, $t->{status}) if defined $t->{status};
    }
  });
}
sub dirfd { my ($dh) = @_; return fileno $dh }
sub read_client {
  my ($t, $c) = @_;
  my $n = sysread($c->{fh}, my $bytes, $CHUNK);
  return if !defined $n && ($! == $EAGAIN || $! == $EINTR);
  if (!$n) {
    delete $t->{clients}{fileno $c->{fh}};
    forget($c->{fh});
    end_stdin($t) if $t->{option}{stdinonce} && $c->{spoke};
    return;
  }
  $c->{input} .= $bytes;
  while (length $c->{input} >= 5) {
    my ($type, $length) = unpack 'C N', $c->{input};
    if ($length > $CLIENT_LIMIT) { delete $t->{clients}{fileno $c->{fh}}; forget($c->{fh}); return }
    last if length $c->{input} < 5 + $length;
    my $payload = substr $c->{input}, 5, $length;
    substr $c->{input}, 0, 5 + $length, '';
    if ($type == 0 && $t->{stdin}) { $c->{spoke} = 1; send_to($t->{stdin}, $payload) }
    elsif ($type == 3 && $t->{master} && $length == 4) { set_window($t->{master}, unpack 'n n', $payload) }
    elsif ($type == 4) { end_stdin($t) if !$t->{master} }
  }
}
# The only reader of a program's output is slow: the program waits for it, as at the end of any pipe.
sub pause_streams {
  my ($t, $fd) = @_;
  unwatch($_) for values %{$t->{streams}};
  $on_drain{$fd} = sub { watch_streams($t) unless $t->{finished} };
}
sub end_stdin { my ($t) = @_; return if $t->{master}; my $fh = delete $t->{stdin} or return; close_after($fh) }
sub broadcast {
  my ($t, $type, $bytes) = @_;
  for my $fd (keys %{$t->{clients}}) {
    my $c = $t->{clients}{$fd};
    my $waiting = send_to($c->{fh}, pack('C N', $type, length $bytes) . $bytes);
    if ($t->{option}{hold}) { pause_streams($t, $fd) if ($waiting // 0) > 4 * $CHUNK && !$t->{finished} }
    elsif (($waiting // 0) > $CLIENT_LIMIT) { delete $t->{clients}{$fd}; forget($c->{fh}) }
  }
}

# ── alone ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# The supervisor of one container that outlives us: the same loop with one task, in a process that has loaded nothing else.
sub supervise {
  my %option = map { split /=/, $_, 2 } @_;
  $0 = "subroot-supervisor $option{id}";
  $SIG{PIPE} = $SIG{HUP} = $SIG{INT} = 'IGNORE';
  $events = undef;
  my $t = {id => $option{id}, pid => $option{pid}, option => \%option, streams => {}, partial => {}, clients => {}, running => 1};
  my $handle = sub { my ($name, $mode) = @_; return undef unless defined $option{$name}; open my $fh, "$mode&=", $option{$name} or quit(125); fcntl $fh, 2, 1; return $fh };
  $t->{log} = $handle->('log', '>>');
  $t->{listener} = $handle->('listener', '+<');
  $t->{mntns} = $handle->('mntns', '<');
  if ($t->{master} = $handle->('master', '+<')) { $t->{stdin} = $t->{master}; $t->{streams} = {stdout => $t->{master}} }
  else {
    $t->{stdin} = $handle->('stdin', '>');
    for my $name ('stdout', 'stderr') { my $fh = $handle->($name, '<'); $t->{streams}{$name} = $fh if $fh }
  }
  $task{$option{id}} = $t;
  $by_pid{$option{pid}} = $t;
  watch_signals();
  watch_listener($t) if $t->{listener};
  watch_streams($t);
  reap();    # it may have ended before we watched
  loop(sub { !%task && !%writer });
  quit(0);
}

supervise(@$main_words) if $main_words;
1;
