#!/usr/bin/perl
# relay.pl ADDRESS PORT only|relay
#
# Connects by TCP to an address (hexadecimal: 8 digits of IPv4, 32 of IPv6) in the network namespace that we were started in. `only` ends
# then; `relay` passes what comes from our standard output, which is a socket, to the connection and back, and each one's end to the other.
# What fails is said on standard error, with exit code 1. It is small, has no capability and is started for each connection: see src/host/dial.ts.
use strict;
use warnings;

my ($address, $port, $mode) = @ARGV;
my $bytes = pack 'H*', $address;
my ($family, $target) = length $bytes == 4
  ? (2, pack 'S n a4 x8', 2, $port, $bytes)    # struct sockaddr_in
  : (10, pack 'S n N a16 L', 10, $port, 0, $bytes, 0);    # struct sockaddr_in6
sub fail { print STDERR "$_[0]: $!\n"; exit 1 }

socket(my $socket, $family, 1, 0) or fail('socket');    # SOCK_STREAM
connect $socket, $target or fail('connect');
exit 0 if $mode eq 'only';

open my $starter, '+<&=', 1 or fail('standard output');
my $reader = fork // fail('fork');
my ($from, $to) = $reader ? ($starter, $socket) : ($socket, $starter);
# Whoever we write to may be gone: then there is nothing more to do.
$SIG{PIPE} = sub { exit 0 };
while (sysread $from, my $chunk, 65536) {
  while (length $chunk) {
    my $n = syswrite $to, $chunk;
    defined $n ? substr($chunk, 0, $n, '') : exit 0;
  }
}
shutdown $to, 1;
exit 0 if !$reader;
# Our input has ended, so whoever started us wants no more than the rest of an answer.
$SIG{ALRM} = sub { kill 'KILL', $reader; exit 0 };
alarm 10;
waitpid $reader, 0;
exit 0;
