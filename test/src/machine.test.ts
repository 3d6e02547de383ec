import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {dir} from 'tmp-promise';
import {permittedOf, readMachine} from '../../src/host/machine.ts';
import {parseAccounts, parseGroups, parseLoginDefs, parseSubidSource, readLedger} from '../../src/host/machine-ids.ts';
import {mountOf, parseMounts} from '../../src/host/machine-mounts.ts';
import {parseProbe} from '../../src/host/machine-probe.ts';

test('accounts and groups are read; comments, NIS markers and bad numbers are left out', (t) => {
  const passwd =
    'root:x:0:0:root:/root:/bin/bash\n# c:x:1:1::/:\n+nis::::::\nbad:x:one:1::/:\nanna:x:1000:1001:A,B:/home/anna:/bin/zsh\n';
  t.deepEqual(parseAccounts(passwd), [
    {name: 'root', uid: 0, gid: 0, shell: '/bin/bash'},
    {name: 'anna', uid: 1000, gid: 1001, shell: '/bin/zsh'},
  ]);
  t.deepEqual(parseGroups('root:x:0:\nanna:x:1001:bert\n+:::\n'), [
    {name: 'root', gid: 0},
    {name: 'anna', gid: 1001},
  ]);
});

test('login.defs and nsswitch.conf have their defaults', (t) => {
  t.deepEqual(parseLoginDefs(''), {subUidMin: 100000, subUidMax: 600100000, subUidCount: 65536});
  t.deepEqual(parseLoginDefs('#SUB_UID_MIN 5\n  SUB_UID_MIN\t\t 200000\nSUB_UID_COUNT 0\n'), {
    subUidMin: 200000,
    subUidMax: 600100000,
    subUidCount: 0,
  });
  t.is(parseSubidSource(''), 'files');
  t.is(parseSubidSource('passwd: files\nsubid: sss files\n'), 'sss');
});

test('mount points of mountinfo are unescaped, and the deepest and latest one counts', (t) => {
  const mounts = parseMounts(
    '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n28 27 0:1 / /a\\040b ro,nosuid shared:1 - tmpfs t rw\n29 27 0:2 / /a\\040b rw - xfs x rw\n',
  );
  t.deepEqual(mounts[1], {
    id: 28,
    parent: 27,
    device: '0:1',
    root: '/',
    point: '/a b',
    type: 'tmpfs',
    source: 't',
    options: ['ro', 'nosuid'],
    superOptions: ['rw'],
  });
  t.is(mountOf(mounts, '/a b/c')?.type, 'xfs');
  t.is(mountOf(mounts, '/a bc')?.type, 'ext4');
  t.is(mountOf([], '/x'), undefined);
});

test('the permitted capabilities of security.capability are read from both halves', (t) => {
  t.deepEqual([...permittedOf('0100000280000000000000000000000000000000')], ['CAP_SETUID']);
  t.deepEqual([...permittedOf('0000000200000000000000008000000000000000')], ['CAP_BPF']);
  t.deepEqual([...permittedOf('')], []);
});

test('what perl prints is read, and nothing else is', (t) => {
  const probe = parseProbe('perl 5.36.0\nfile 2f78 0102\npid 7 402:1000 403:65534 404:\njunk\n');
  t.is(probe?.perlVersion, '5.36.0');
  t.deepEqual([...(probe?.fileCapabilities ?? [])], [['/x', '0102']]);
  t.deepEqual(probe?.chains.get(7), [
    {inode: 402, owner: 1000},
    {inode: 403, owner: 65534},
    {inode: 404, owner: undefined},
  ]);
  t.is(parseProbe('nothing'), undefined);
});

test('the ledger is read by names alone; units of one claim are one block', async (t) => {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  const claim = (hostId: number, ...names: readonly string[]) => {
    const folder = join(path, 'ledger', 'blocks', String(hostId));
    mkdirSync(folder, {recursive: true});
    for (const name of names) writeFileSync(join(folder, name), '');
  };
  claim(131072, 'pod,web-1,5,77,boot,0badcafe-1');
  claim(196608, 'pod,web-1,5,77,boot,0badcafe-1');
  claim(262144, 'prepared,,5,77,boot,0badcafe-2');
  claim(393216, 'what is this');
  claim(458752, 'pod,a,5,77,boot,0badcafe-3', 'pod,b,5,77,boot,0badcafe-4');
  claim(524288);
  t.deepEqual(readLedger(path).blocks, [
    {first: 131072, size: 131072, kind: 'pod', pod: 'web-1'},
    {first: 262144, size: 65536, kind: 'prepared', pod: ''},
    {first: 393216, size: 65536, kind: 'unreadable', pod: ''},
    {first: 458752, size: 65536, kind: 'unreadable', pod: ''},
  ]);
  t.deepEqual([readLedger(path).ownerUid], [process.getuid?.()]);
  t.deepEqual(readLedger(join(path, 'none')).blocks, []);
});

test('this machine is read in a third of a second of our own processor time and agrees with the process itself', async (t) => {
  const facts = await readMachine({root: '/nowhere/subroot'});
  const timesMs: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    // Not the clock: other programs on a busy machine would be counted.
    const before = process.cpuUsage();
    await readMachine({root: '/nowhere/subroot'});
    const {user, system} = process.cpuUsage(before);
    timesMs.push((user + system) / 1000);
  }
  t.true(Math.min(...timesMs) < 333, `${timesMs.join(', ')} ms`);
  t.deepEqual([facts.user.uid], [process.geteuid?.()]);
  t.is(facts.platform, process.platform);
  t.true(facts.state.nearest === '/');
  t.false(facts.state.exists);
  if (process.platform === 'linux') t.true(facts.namespaces.includes('user'));
});
