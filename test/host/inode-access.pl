# What the kernel says to accesses from inside a user namespace: the other half of inode-access.test.ts.
#   inode-access.pl ARCH FOLDER BASE SIZE     lines on standard input:
#     file NAME f|d UID GID MODE ACL          made in FOLDER (ids of the host; ACL is hex of system.posix_acl_access, or -)
#     who NAME UID GID GROUPS CAPS            credentials in the namespace "0 BASE SIZE": inside ids, groups with commas or -, hex mask
# FOLDER is seen twice: as it is, and through a mount whose ids are shifted by that namespace. For each who, view and file a line:
#     NAME VIEW FILE ERRNO… (faccessat2 of wants 1 to 7), then chmod and unlink of a file made anew: 0, or the errno
use strict;
use warnings;
no warnings 'portable';
my ($arch, $folder, $base, $size) = @ARGV;
my %NR = $arch eq 'x64'
  ? (unshare => 272, setgroups => 116, setresgid => 119, setresuid => 117, prctl => 157, capset => 126, setxattr => 188, mount => 165)
  : (unshare => 97, setgroups => 159, setresgid => 149, setresuid => 147, prctl => 167, capset => 91, setxattr => 5, mount => 40);
@NR{qw(open_tree move_mount mount_setattr faccessat2)} = (428, 429, 442, 439);
sub sys { my ($name, @words) = @_; my $r = syscall $NR{$name}, @words; die "$name: $!\n" if $r == -1; return $r }
my (@files, @whos);
while (<STDIN>) { chomp; my ($kind, @words) = split / /; push @{$kind eq 'file' ? \@files : \@whos}, \@words }

sub make {
  my ($path, $kind, $uid, $gid, $mode, $acl) = @_;
  if ($kind eq 'd') { mkdir $path or die "mkdir $path: $!\n" } else { open my $fh, '>', $path or die "$path: $!\n" }
  chown $uid, $gid, $path or die "chown: $!\n";
  chmod oct $mode, $path or die "chmod: $!\n";
  if ($acl ne '-') { my $bytes = pack 'H*', $acl; sys('setxattr', my $p = $path, my $n = 'system.posix_acl_access', $bytes, length $bytes, 0) }
}
mkdir "$folder/plain" or die; mkdir "$folder/view" or die;
chmod 01777, "$folder/plain"; chmod 0755, "$folder/view";
make("$folder/plain/$_->[0]", @$_[1 .. 5]) for @files;

# A namespace to shift by and to stand in: its first process waits.
pipe my $ready, my $tell or die; pipe my $go, my $let or die;
my $holder = fork // die;
if (!$holder) { close $ready; close $let; sys('unshare', 0x10000000); syswrite $tell, 'x'; sysread $go, my $byte, 1; exit }
close $tell; close $go; sysread $ready, my $byte, 1;
for my $file (qw(uid_map gid_map)) { open my $fh, '>', "/proc/$holder/$file" or die; syswrite($fh, "0 $base $size\n") or die "$file: $!" }
sys('unshare', 0x20000);
sys('mount', my $none = 'none', my $root = '/', 0, (1 << 18) | 16384, 0);
my $tree = sys('open_tree', -100, my $plain = "$folder/plain", 1 | 02000000);
open my $userns, '<', "/proc/$holder/ns/user" or die;
my $attr = pack 'Q4', 0x100000, 0, 0, fileno $userns;
sys('mount_setattr', $tree, my $empty = '', 0x1000, $attr, length $attr);
sys('move_mount', $tree, my $from = '', -100, my $to = "$folder/view", 4);

$| = 1;
for my $who (@whos) {
  my ($name, $uid, $gid, $groups, $caps) = @$who;
  # Files that chmod and unlink may spend, one for each; made by root of the host.
  for my $view (qw(plain view)) { for my $file (@files) { make("$folder/plain/.$view-$file->[0]", @{$file}[1 .. 5]) unless $file->[1] eq 'd' } }
  my $child = fork // die;
  if (!$child) {
    open my $ns, '<', "/proc/$holder/ns/user" or die;
    syscall($arch eq 'x64' ? 308 : 268, fileno $ns, 0x10000000) == 0 or die "setns: $!";
    my @groups = $groups eq '-' ? () : split /,/, $groups;
    my $list = pack 'L*', @groups;
    sys('prctl', 8, 1, 0, 0, 0);
    sys('setgroups', scalar @groups, @groups ? $list : 0);
    sys('setresgid', $gid + 0, $gid + 0, $gid + 0);
    sys('setresuid', $uid + 0, $uid + 0, $uid + 0);
    my $mask = hex $caps;
    my $header = pack 'L2', 0x20080522, 0;
    my ($low, $high) = ($mask & 0xffffffff, $mask >> 32);
    my $data = pack 'L6', $low, $low, 0, $high, $high, 0;
    sys('capset', $header, $data);
    for my $view (qw(plain view)) {
      for my $file (@files) {
        my $path = "$folder/$view/$file->[0]";
        my @answers = map { syscall($NR{faccessat2}, -100, $path, $_ + 0, 0x200) == 0 ? 0 : $! + 0 } 1 .. 7;
        my ($chmod, $unlink) = ('-', '-');
        if ($file->[1] ne 'd') {
          my $spare = "$folder/$view/.$view-$file->[0]";
          $chmod = (chmod oct($file->[4]), $spare) ? 0 : $! + 0;
          $unlink = unlink($spare) ? 0 : $! + 0;
        }
        print "$name $view $file->[0] @answers $chmod $unlink\n";
      }
    }
    exit 0;
  }
  waitpid $child, 0;
  die "credentials $name failed\n" if $?;
  for my $view (qw(plain view)) { unlink "$folder/plain/.$view-$_->[0]" for @files }
}
syswrite $let, 'x';
waitpid $holder, 0;
