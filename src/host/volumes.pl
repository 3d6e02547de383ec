#!/usr/bin/perl
# The agent's part for volumes: what it mounts for the kubelet's part, who owns what is in a volume, and whether a mount can have
# shifted ids. agent.pl loads it with the first request for a volume; a pod without volumes never needs it.
#
# Trees of files are walked by descriptors that follow no link (O_PATH, O_NOFOLLOW), so that who swaps a folder for a link meanwhile
# gains nothing. Source: openat2(2), open(2), fchownat(2), statx(2).
use strict;
use warnings;
no warnings 'recursion';

our ($arch, %NR, $has_mounts, $host_mounts);
%NR = (%NR, openat2 => 437, $arch eq 'arm64'
  ? (mkdirat => 34, fchownat => 54, statx => 291, prlimit64 => 261)
  : (mkdirat => 258, fchownat => 260, statx => 332, prlimit64 => 302));

my $O_PATH = 0x200000;
my $O_CLOEXEC = 0x80000;
# The two numbers that differ: O_DIRECTORY and O_NOFOLLOW.
my ($O_DIRECTORY, $O_NOFOLLOW) = $arch eq 'arm64' ? (0x4000, 0x8000) : (0x10000, 0x20000);
my ($AT_FDCWD, $AT_EMPTY_PATH, $AT_RECURSIVE, $OPEN_TREE_CLONE) = (-100, 0x1000, 0x8000, 1);
my ($RESOLVE_NO_MAGICLINKS, $RESOLVE_BENEATH) = (2, 8);
my ($MNT_DETACH, $UMOUNT_NOFOLLOW) = (2, 8);
my ($ENOENT, $EAGAIN) = (2, 11);

# What a descriptor leads to: {uid, gid, mode (with type), size in bytes on disk, ino, mount}.
sub look {
  my ($fd) = @_;
  my ($empty, $buffer) = ('', "\0" x 256);
  check(syscall($NR{statx}, $fd, $empty, $AT_EMPTY_PATH, 0x17ff, $buffer) != -1);    # STATX_BASIC_STATS, STATX_MNT_ID
  my ($uid, $gid, $mode) = unpack 'x20 L L S', $buffer;
  my ($ino, $size, $blocks) = unpack 'x32 Q Q Q', $buffer;
  return {uid => $uid, gid => $gid, mode => $mode, ino => $ino, bytes => $blocks * 512, mount => (unpack 'x144 Q', $buffer)[0]};
}
sub is_folder { return ($_[0]{mode} & 0170000) == 0040000 }
sub is_link { return ($_[0]{mode} & 0170000) == 0120000 }

# A walk holds a descriptor for each folder that it is in, and how deep a pod's folders are is the pod's to say.
sub raise_files {
  my ($limits, $none) = ("\0" x 16, 0);
  return if syscall($NR{prlimit64}, 0, 7, $none, $limits) == -1;    # RLIMIT_NOFILE
  my ($soft, $hard) = unpack 'Q Q', $limits;
  my $raised = pack 'Q Q', $hard, $hard;
  syscall($NR{prlimit64}, 0, 7, $raised, 0);
}

# Calls visit(descriptor, look, path) for a file or folder and for all that is below it on the same mount; a folder before what is in it.
sub walk {
  my ($fd, $path, $visit, $mount) = @_;
  my $seen = look($fd);
  $mount //= $seen->{mount};
  return if $seen->{mount} != $mount;
  $visit->($fd, $seen, $path);
  return unless is_folder($seen);
  opendir my $dh, "/proc/self/fd/$fd" or die {errno => $! + 0, text => "$path: $!"};
  my @names = grep { $_ ne '.' && $_ ne '..' } readdir $dh;
  closedir $dh;
  for my $name (@names) {
    my $child = sys('openat', $fd, $name, $O_PATH + $O_NOFOLLOW + $O_CLOEXEC);
    next if !defined $child && $! == $ENOENT;    # gone meanwhile
    defined $child or die {errno => $! + 0, text => "$path/$name: $!"};
    my $ok = eval { walk($child, "$path/$name", $visit, $mount); 1 };
    fd_close($child);
    die $@ unless $ok;
  }
}
sub walk_path {
  my ($path, $visit) = @_;
  my $fd = sys('openat', $AT_FDCWD, $path, $O_PATH + $O_CLOEXEC) // die {errno => $! + 0, text => "$path: $!"};
  my $ok = eval { walk($fd, $path, $visit); 1 };
  fd_close($fd);
  die $@ unless $ok;
}
sub set_owner {
  my ($fd, $uid, $gid, $path) = @_;
  my $empty = '';
  # Numbers: syscall would pass the address of a text.
  syscall($NR{fchownat}, $fd, $empty, $uid + 0, $gid + 0, $AT_EMPTY_PATH) != -1 or die {errno => $! + 0, text => "$path: $!"};
}

# ── mounts of our own mount namespace ───────────────────────────────────────────────────────────────────────────────────────

# [mount point, type] of each, in the order in which they were mounted.
sub own_mounts {
  open my $fh, '<', '/proc/self/mountinfo' or check(0);
  my @mounts;
  while (my $line = <$fh>) {
    my @fields = split / /, $line;
    my ($type) = $line =~ / - (\S+) /;
    (my $point = $fields[4]) =~ s/\\([0-7]{3})/chr oct $1/ge;
    push @mounts, [$point, $type // ''];
  }
  return @mounts;
}
sub is_below { my ($path, $folder) = @_; return $path eq $folder || index($path, $folder eq '/' ? '/' : "$folder/") == 0 }
sub real_path { my ($fd) = @_; return readlink("/proc/self/fd/$fd") // '' }

# Lets go of what we have mounted at a path or below it, so that removing that path never reaches what was mounted there.
sub release_mounts {
  my ($path) = @_;
  my $fd = sys('openat', $AT_FDCWD, $path, $O_PATH + $O_NOFOLLOW + $O_CLOEXEC) // return;
  my $real = real_path($fd);
  fd_close($fd);
  for my $mount (reverse own_mounts()) {
    next unless is_below($mount->[0], $real);
    defined sys('umount2', $mount->[0], $MNT_DETACH + $UMOUNT_NOFOLLOW) or die {errno => $! + 0, text => "cannot unmount $mount->[0]: $!"};
  }
}

# ── verbs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# A user namespace of one id that nobody lives in: whether a mount takes it is whether it would take a pod's.
my $probe_ns;
sub probe_ns {
  my ($first) = @_;
  return $probe_ns if $probe_ns;
  pipe(my $up_r, my $up_w) or check(0);
  pipe(my $end_r, my $end_w) or check(0);
  my $pid = fork;
  check(defined $pid);
  if (!$pid) {
    my $errno = defined sys('unshare', 0x10000000) ? 0 : $! + 0;
    close $end_w;
    syswrite $up_w, pack 'L', $errno;
    sysread $end_r, my $end, 1;
    quit(0);
  }
  my $ok = eval {
    close $up_w;
    sysread $up_r, my $answer, 4;
    my $errno = length $answer ? unpack 'L', $answer : 5;
    if ($errno) { $! = $errno; check(0) }
    write_once("/proc/$pid/$_", "0 $first 1") for 'uid_map', 'gid_map';
    open $probe_ns, '<', "/proc/$pid/ns/user" or check(0);
    1;
  };
  my $error = $@;
  close $end_w;
  waitpid $pid, 0;
  die $error unless $ok;
  return $probe_ns;
}
# The errno with which the kernel refuses shifted ids for the mounts of a path, 0 when it takes them. The mount is never attached.
sub try_idmap {
  my ($path, $recursive, $first) = @_;
  my $fd = must('open_tree', $AT_FDCWD, $path, $OPEN_TREE_CLONE + $O_CLOEXEC + ($recursive ? $AT_RECURSIVE : 0));
  my $errno = eval {
    my $attributes = pack 'Q Q Q Q', 0x100000, 0, 0, fileno probe_ns($first);    # MOUNT_ATTR_IDMAP
    defined sys('mount_setattr', $fd, '', $AT_EMPTY_PATH + ($recursive ? $AT_RECURSIVE : 0), $attributes, 32) ? 0 : $! + 0;
  };
  my $error = $@;
  fd_close($fd);
  die $error unless defined $errno;
  return $errno;
}

# A path is `host`: the machine's, as whoever started us sees it; or `own`: in our mount namespace, where what we have mounted is.
sub in_mounts { my ($where, $do) = @_; return $where eq 'host' ? in_host_mounts($do) : $do->() }

my %volume_verb = (
  # idmapprobe WHERE PATH ID → "yes", or "no ERRNO TYPE POINT": the mount that refuses, the path's own or one below it. ID is any id of ours.
  idmapprobe => sub {
    my ($where, $path, $first) = @_;
    probe_ns($first);
    return in_mounts($where, sub {
      my $errno = try_idmap($path, 1, $first);
      return 'yes' unless $errno;
      my $fd = must('openat', $AT_FDCWD, $path, $O_PATH + $O_CLOEXEC);
      my $real = real_path($fd);
      fd_close($fd);
      my @all = own_mounts();
      # Of several with one mount point the last is on top.
      my ($own) = sort { length $b->[0] <=> length $a->[0] } grep { is_below($real, $_->[0]) } reverse @all;
      $own //= [$path, ''];
      for my $mount ($own, grep { $_->[0] ne $real && is_below($_->[0], $real) } @all) {
        my $refused = eval { try_idmap($mount == $own ? $path : $mount->[0], 0, $first) };
        return ('no', $refused, $mount->[1], $mount->[0]) if $refused;
      }
      return ('no', $errno, $own->[1], $own->[0]);
    });
  },
  # own PATH UID GID FILEBITS FOLDERBITS ONLYROOT: owners (- leaves one) and further permission bits of all that is in a volume
  own => sub {
    my ($path, $uid, $gid, $file_bits, $folder_bits, $only_root) = @_;
    ($uid, $gid) = map { $_ eq '-' ? -1 : $_ + 0 } $uid, $gid;
    if ($only_root) {
      my $fd = must('openat', $AT_FDCWD, $path, $O_PATH + $O_CLOEXEC);
      my $root = look($fd);
      fd_close($fd);
      return 'there' if is_folder($root) && $root->{gid} == $gid && ($root->{mode} & oct $folder_bits) == oct $folder_bits;
    }
    walk_path($path, sub {
      my ($fd, $seen, $at) = @_;
      set_owner($fd, $uid, $gid, $at);
      my $bits = oct(is_folder($seen) ? $folder_bits : $file_bits);
      return if is_link($seen) || !$bits;
      chmod(($seen->{mode} & 07777) | $bits, "/proc/self/fd/$fd") or die {errno => $! + 0, text => "$at: $!"};
    });
    return 'set';
  },
  # shift WHERE PATH UIDFIRST GIDFIRST SIZE POOLFIRST POOLLENGTH OVERFLOW: id N becomes FIRST+N, an id of another block of the pool its
  # counterpart. Looked at first, so that what cannot be given away is found before anything is. OVERFLOW is the id that unmapped
  # ones show as, or - where all are mapped.
  shift => sub {
    my ($where, $path, $uid_first, $gid_first, $size, $pool_first, $pool_length, $overflow) = @_;
    my $place = sub {
      my ($id, $first, $at) = @_;
      die {errno => 1, text => "$at belongs to an id that is not ours to change"} if $overflow ne '-' && $id == $overflow;
      return $id if $id >= $first && $id < $first + $size;
      return $first + $id if $id < $size && $id < 65536;
      return $first + ($id - $pool_first) % $size if $id >= $pool_first && $id < $pool_first + $pool_length;
      die {errno => 22, text => "$at belongs to id $id, which has no place in the pod"};
    };
    in_mounts($where, sub {
      my $fd = must('openat', $AT_FDCWD, $path, $O_PATH + $O_CLOEXEC);
      my $ok = eval {
        # PATH has no links left: one that leads elsewhere was swapped meanwhile.
        my $real = real_path($fd);
        die {errno => 40, text => "$path leads to $real by now"} if $real ne $path;
        for my $do (0, 1) {
          walk($fd, $path, sub {
            my ($each, $seen, $at) = @_;
            my ($uid, $gid) = ($place->($seen->{uid}, $uid_first, $at), $place->($seen->{gid}, $gid_first, $at));
            set_owner($each, $uid, $gid, $at) if $do && ($uid != $seen->{uid} || $gid != $seen->{gid});
          });
        }
        1;
      };
      my $error = $@;
      fd_close($fd);
      die $error unless $ok;
    });
    return 'set';
  },
  # memory PATH BYTES: a tmpfs; BYTES is - for half of the memory. "there" when one is mounted already.
  memory => sub {
    my ($path, $bytes) = @_;
    my $fd = must('openat', $AT_FDCWD, $path, $O_PATH + $O_NOFOLLOW + $O_CLOEXEC);
    my $real = real_path($fd);
    fd_close($fd);
    return 'there' if grep { $_->[0] eq $real } own_mounts();
    must('mount', 'tmpfs', $path, 'tmpfs', 0, 'mode=0777' . ($bytes eq '-' ? '' : ",size=$bytes"));
    $has_mounts = 1;
    return 'made';
  },
  # subpath WHERE ROOT SUBPATH TARGET UID GID: mounts what SUBPATH leads to at TARGET; nothing on the way may lead out of ROOT, however it is
  # changed meanwhile. Folders that are missing are made with ROOT's mode, for UID and GID (- leaves them ours).
  subpath => sub {
    my ($where, $root, $sub_path, $target, $uid, $gid) = @_;
    my @opened;
    my $take = sub {
      my $base = must('openat', $AT_FDCWD, $root, $O_PATH + $O_CLOEXEC);
      push @opened, $base;
      my $how = pack 'Q Q Q', $O_PATH + $O_CLOEXEC, 0, $RESOLVE_BENEATH + $RESOLVE_NO_MAGICLINKS;
      my $inside = sub {
        my ($path) = @_;
        my $fd;
        for (1 .. 64) {    # EAGAIN: something was renamed while `..` of a link was followed
          $fd = sys('openat2', $base, $path, $how, 24);
          last if defined $fd || $! != $EAGAIN;
        }
        push @opened, $fd if defined $fd;
        return $fd;
      };
      my ($at, $so_far) = ($base, '');
      for my $part (grep { length && $_ ne '.' } split /\//, $sub_path) {
        $so_far .= length $so_far ? "/$part" : $part;
        my $next = $inside->($so_far);
        if (!defined $next) {
          check(0) unless $! == $ENOENT;
          must('mkdirat', $at, $part, 0700);
          $next = must('openat', $at, $part, $O_PATH + $O_DIRECTORY + $O_NOFOLLOW + $O_CLOEXEC);
          push @opened, $next;
          set_owner($next, $uid, $gid, $so_far) if $uid ne '-';
          check(chmod look($base)->{mode} & 07777, "/proc/self/fd/$next");
        }
        $at = $next;
      }
      my $tree = must('open_tree', $at, '', $OPEN_TREE_CLONE + $O_CLOEXEC + $AT_RECURSIVE + $AT_EMPTY_PATH);
      push @opened, $tree;
      return ($tree, is_folder(look($at)));
    };
    my $ok = eval {
      my ($tree, $is_folder) = in_mounts($where, $take);
      if (-e $target) { release_mounts($target) }
      elsif ($is_folder) { check(mkdir $target, 0700) }
      else { sysopen my $fh, $target, 0301, 0600 or check(0) }    # O_WRONLY | O_CREAT | O_EXCL
      must('move_mount', $tree, '', $AT_FDCWD, $target, 4);
      $has_mounts = 1;
      1;
    };
    my $error = $@;
    fd_close($_) for @opened;
    die $error unless $ok;
    return 'made';
  },
  # usage PATH: bytes on disk of all that is in a volume; what has several names counts once
  usage => sub {
    my ($path) = @_;
    my ($bytes, %known) = (0);
    walk_path($path, sub { my ($fd, $seen) = @_; $bytes += $seen->{bytes} unless $known{$seen->{ino}}++ });
    return $bytes;
  },
);

# Runs one of the verbs above; its answer are words.
sub volume_verb { my ($verb, @words) = @_; return $volume_verb{$verb}->(@words) }
1;
