import {readFileSync} from 'node:fs';
import test from 'ava';
import {type SyscallArchitecture, syscallsOf} from '../../native-free/syscalls.ts';
import {observationsOf, seenOf} from '../../src/check/attempt.ts';
import {
  call,
  fileCapability,
  mknod,
  O,
  open,
  read,
  run,
  setgroups,
  struct,
  unshare,
} from '../../src/check/operation.ts';
import {AttackerRefused, AttackProcess} from '../../src/host/attacker.ts';
import {isProcessAlive, startTimeOf} from '../../src/host/proc.ts';
import {hostTest, until} from '../helpers/host-test.ts';

const script = readFileSync(new URL('../../src/host/attacker.pl', import.meta.url), 'utf8');
const onLinux = hostTest('linux', 'perl');
const rooted = hostTest('linux', 'root', 'perl');

test('the attacker has the numbers of both architectures', (t) => {
  const table = /qw\(\n([^)]*)\n\);/.exec(script)?.[1] ?? '';
  const entries = table.trim().split(/\s+/);
  t.true(entries.length > 90);
  for (const [index, architecture] of (['x64', 'arm64'] as SyscallArchitecture[]).entries()) {
    const numbers = syscallsOf(architecture);
    for (const entry of entries) {
      const [name = '', ...both] = entry.split(':');
      const number = both[index];
      t.is(number, String(numbers.get(name) ?? '-'), `${name} of ${architecture}`);
    }
  }
});

test('structs are little-endian words, and a capability of a file is that of the kernel', (t) => {
  t.is(Buffer.from(struct([1, 2], [-1, 4], [2n ** 63n, 8])).toString('hex'), '0100ffffffff0000000000000080');
  t.is(Buffer.from(fileCapability(13)).toString('hex'), '0100000200200000000000000000000000000000');
  t.is(Buffer.from(fileCapability(40)).toString('hex'), '0100000200000000000000000001000000000000');
  t.is(mknod('/x', 0o060600, 7, 7).did, 'mknod(/x, b 7:7)');
  t.is(open('/x', O.WRONLY + O.APPEND + O.CREAT).did, 'open(/x, O_WRONLY|O_CREAT|O_APPEND)');
});

async function withProcess<Result>(body: (process: AttackProcess) => Promise<Result>): Promise<Result> {
  const attacker = await AttackProcess.start([]);
  try {
    return await body(attacker);
  } finally {
    await attacker.close();
  }
}

onLinux('calls are made in order, with what earlier ones gave, until one that must succeed does not', async (t) => {
  await withProcess(async (attacker) => {
    const operations = [
      open('/proc/self/comm', O.RDONLY, {as: 'comm'}),
      read(64, 'comm'),
      open('/proc/self/fd/{comm}', O.RDONLY, {as: 'again'}),
      open('/there is\tnothing %2F;\nhere', O.RDONLY, {optional: true}),
      open('/nothing', O.RDONLY),
      read(),
    ];
    const end = await attacker.run(operations.map((each) => each.call));
    t.is(end.how, 'done');
    t.is(end.calls.length, 5, 'the last is not made');
    t.is(end.calls[1]?.texts[0]?.slice(0, end.calls[1].result), 'perl\n');
    t.is(end.calls[3]?.errno, 'ENOENT');
    t.is(end.calls[4]?.errno, 'ENOENT');
    const seen = seenOf(operations, end);
    t.false(seen.through);
    t.is(observationsOf(operations, end).at(-1)?.errno, 'ENOENT');
  });
});

onLinux('an errno that comes after the permission was asked is success', async (t) => {
  await withProcess(async (attacker) => {
    const operations = [call('setns', [-1, 0], 'setns', {gate: ['EBADF']})];
    t.true(seenOf(operations, await attacker.run(operations.map((each) => each.call))).through);
    const other = [call('setns', [-1, 0], 'setns', {gate: ['EPERM']})];
    t.false(seenOf(other, await attacker.run(other.map((each) => each.call))).through);
    t.false(seenOf([], await attacker.run([])).through, 'nothing tried is no success');
  });
});

onLinux('a call that this kernel does not have is ENOSYS', async (t) => {
  await withProcess(async (attacker) => {
    const end = await attacker.run([call('no_such_call', [], 'no').call]);
    t.is(end.calls[0]?.errno, 'ENOSYS');
  });
});

onLinux('what a program writes and how it ends is seen, and what it leaves is ended', async (t) => {
  await withProcess(async (attacker) => {
    const end = await attacker.run([run('/bin/sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $!; exit 7').call]);
    t.is(end.calls[0]?.result, 7);
    const pid = Number(end.calls[0]?.texts[0]);
    t.true(pid > 0);
    await until('what it left is ended', () => startTimeOf(pid) === undefined);
  });
});

onLinux('an attempt that takes too long is ended, and the next one is made', async (t) => {
  await withProcess(async (attacker) => {
    const end = await attacker.run([run('/bin/sleep', '1000').call], 100);
    t.is(end.how, 'timeout');
    t.is((await attacker.run([call('getpid', [], 'getpid').call])).how, 'done');
  });
});

onLinux('what is held stays until it is released, and ends with the attacker', async (t) => {
  const attacker = await AttackProcess.start([]);
  const [first, second] = [await attacker.hold([]), await attacker.hold([])];
  const alive = (pid: number | undefined) => pid !== undefined && startTimeOf(pid) !== undefined;
  t.true(alive(first.number) && alive(second.number));
  await first.release();
  t.false(alive(first.number));
  t.true(alive(second.number));
  await attacker.close();
  await until('the other is gone with the attacker', () => !alive(second.number));
  t.is((await attacker.run([])).how, 'gone', 'and nothing is tried any more');
});

onLinux('an attacker that cannot become who it is to be says which step was refused', async (t) => {
  const error = await t.throwsAsync(AttackProcess.start([['keep', 'x', '/nothing', '0']]), {
    instanceOf: AttackerRefused,
  });
  t.is(error?.errno, 'ENOENT');
  t.regex(error?.step ?? '', /openat \(keep x \/nothing 0\)/);
});

rooted('nsenter -U --preserve-credentials is not how an escape is modelled: ids and groups are given up', async (t) => {
  const maker = await AttackProcess.start([]);
  try {
    const held = await maker.hold([setgroups([42]).call, unshare('user').call]);
    const pid = held.number ?? -1;
    const {writeFileSync} = await import('node:fs');
    for (const file of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${file}`, '0 3000000000 65536');
    const init = {pid, startTime: startTimeOf(pid) ?? ''};
    t.true(isProcessAlive(init));
    const attacker = await AttackProcess.start([
      ['process', String(pid), init.startTime],
      ['user', 'join'],
    ]);
    const status = readFileSync(`/proc/${attacker.pid}/status`, 'utf8');
    t.regex(status, /^Uid:\t3000000000\t3000000000\t3000000000\t3000000000$/m);
    t.regex(status, /^Gid:\t3000000000\t3000000000\t3000000000\t3000000000$/m);
    t.regex(status, /^Groups:\t\s*$/m);
    const end = await attacker.run([open('/etc/shadow', O.RDONLY).call]);
    t.is(end.calls[0]?.errno, 'EACCES');
    await attacker.close();
  } finally {
    await maker.close();
  }
});
