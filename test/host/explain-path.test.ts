import {execFileSync, spawn} from 'node:child_process';
import {chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import fc from 'fast-check';
import {dir} from 'tmp-promise';
import {explainPath, type PathReport, pathValue} from '../../src/cli/explain-path.ts';
import {explainPathSchema} from '../../src/cli/explain-schema.ts';
import {openOutput} from '../../src/cli/output.ts';
import {walkPath} from '../../src/host/path-walk.ts';
import {findSchemaFaults} from '../cli/validate-schema.ts';
import {ChildNode, runCli} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest, until, withNode} from '../helpers/host-test.ts';
import {mapTextOf, sharedFolder, sharing} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';

const rootTest = hostTest('root', 'userns', 'perl');
const output = openOutput('table', true);

const owner = fc.constantFrom(0, 5, 1000, 65_535, 65_536, 400_000);
const file = fc.record({
  uid: owner,
  gid: owner,
  mode: fc.integer({min: 0, max: 0o777}),
  folderMode: fc.constantFrom(0o755, 0o711, 0o700, 0o750),
  folderUid: owner,
});

/** access(2) of each path, by the pod's own perl as its own user: `PATH rwx`. */
const asked = String.raw`use filetest 'access'; for (@ARGV) { print "$_ ", (-r $_ ? 'r' : '-'), (-w $_ ? 'w' : '-'), (-x $_ ? 'x' : '-'), "\n" }`;

function mayWords({may}: PathReport): string {
  return `${may?.read.allowed ? 'r' : '-'}${may?.write.allowed ? 'w' : '-'}${may?.execute.allowed ? 'x' : '-'}`;
}

async function makeTree(t: ExecutionContext): Promise<{folder: string; paths: string[]}> {
  const folder = await sharedFolder(t);
  const files = fc.sample(file, 40);
  const paths = files.map((each, index) => {
    const inner = join(folder, `d${index}`);
    mkdirSync(inner);
    writeFileSync(join(inner, 'f'), '');
    chownSync(join(inner, 'f'), each.uid, each.gid);
    chmodSync(join(inner, 'f'), each.mode);
    chownSync(inner, each.folderUid, 0);
    chmodSync(inner, each.folderMode);
    return `/shared/d${index}/f`;
  });
  return {folder, paths};
}

rootTest(
  'what explain says of a volume with shifted ids is what the pod itself may do there, for root and for others',
  async (t) => {
    const {folder, paths} = await makeTree(t);
    const node = await withNode(t);
    const pod = await node.runPod({...sharing(folder)});
    for (const [uid, gid] of [
      [0, 0],
      [1000, 0],
      [5, 1000],
    ] as const) {
      const {stdout} = await pod.$({uid, gid})`perl -e ${asked} ${paths}`;
      const kernel = String(stdout).trim().split('\n');
      for (const [index, path] of paths.entries()) {
        const flags = {pod: pod.id, user: `${uid}:${gid}`};
        const report = await explainPath(path, flags, node.root, output);
        t.is(`${path} ${mayWords(report)}`, kernel[index] ?? '', JSON.stringify(pathValue(report)));
        const last = report.components.at(-1);
        if (report.may !== null) t.deepEqual(last?.mount?.options.includes('idmapped'), true);
      }
    }
  },
);

rootTest('the owner on disk, on the host and inside are told, and the JSON fits its schema', async (t) => {
  const folder = await sharedFolder(t);
  writeFileSync(join(folder, 'x'), '');
  chownSync(join(folder, 'x'), 1000, 70_000);
  const node = await withNode(t);
  const pod = await node.runPod({...sharing(folder)});
  const report = await explainPath('/shared/x', {pod: pod.id}, node.root, output);
  const last = report.components.at(-1);
  t.deepEqual(last?.onDisk, {uid: 1000, gid: 70_000});
  t.deepEqual(last?.throughMount, {uid: pod.map.toHost(1000) ?? null, gid: null});
  t.deepEqual(last?.inside, {uid: 1000, gid: null});
  t.is(report.may?.write.cause, 'owner-without-place');
  t.deepEqual(findSchemaFaults(explainPathSchema, JSON.parse(JSON.stringify(pathValue(report)))), []);
});

rootTest('links are followed in the root of the pod and not in ours, and a loop ends', async (t) => {
  const folder = await sharedFolder(t);
  symlinkSync('/usr/bin', join(folder, 'programs'));
  symlinkSync('loop', join(folder, 'loop'));
  symlinkSync('../../../usr/./bin/../bin', join(folder, 'up'));
  const node = await withNode(t);
  const pod = await node.runPod({...sharing(folder)});
  const of = (path: string) => explainPath(path, {pod: pod.id}, node.root, output);
  const programs = await of('/shared/programs/perl');
  t.deepEqual(
    programs.components.map(({path}) => path),
    ['/', '/usr', '/usr/bin', '/usr/bin/perl'],
  );
  t.true(programs.may?.execute.allowed);
  t.false(programs.may?.write.allowed);
  t.deepEqual(programs.walked.links, [{path: '/shared/programs', target: '/usr/bin'}]);
  t.is((await of('/shared/up')).components.at(-1)?.path, '/usr/bin');
  t.deepEqual((await of('/shared/loop')).walked.stopped, {path: '/shared/loop', errno: 'ELOOP'});
  t.deepEqual((await of('/shared/no/x')).walked.stopped, {path: '/shared/no', errno: 'ENOENT'});
});

rootTest(
  'for a map alone the first closed folder of this machine is named, with the command that opens it',
  async (t) => {
    const folder = await dir({prefix: 'subroot-closed', unsafeCleanup: true});
    t.teardown(() => folder.cleanup());
    chmodSync(folder.path, 0o700);
    mkdirSync(join(folder.path, 'rootfs'));
    const report = await explainPath(join(folder.path, 'rootfs/bin'), {map: '0 100000 65536'}, '/nowhere', output);
    t.is(report.blockedAt, folder.path);
    t.is(report.may, null);
    const blocking = report.components.find(({path}) => path === folder.path)?.search;
    t.regex(blocking?.why ?? '', /bits for others are ---, and CAP_DAC_OVERRIDE does not count: the owner has no id/);
    t.regex(blocking?.mend ?? '', /chmod o\+x/);
    chmodSync(folder.path, 0o711);
    const open = await explainPath(join(folder.path, 'rootfs'), {map: '0 100000 65536'}, '/nowhere', output);
    t.is(open.blockedAt, null);
    t.deepEqual([open.may?.write.allowed, open.shifted?.write], [false, true]);
  },
);

rootTest('an ACL counts, and shows', async (t) => {
  const folder = await sharedFolder(t);
  const path = join(folder, 'x');
  writeFileSync(path, '', {mode: 0o600});
  // user::rw-, user:101000:rw-, group::---, mask::rw-, other::---
  const hex = '0200000001000600ffffffff02000600888a010004000000ffffffff10000600ffffffff20000000ffffffff';
  const set = `my ($nr, $path, $hex) = @ARGV; my $b = pack 'H*', $hex; syscall($nr + 0, $path, my $n = 'system.posix_acl_access', $b, length $b, 0) == 0 or die "$!"`;
  execFileSync('perl', ['-e', set, process.arch === 'x64' ? '188' : '5', path, hex]);
  const of = (user: string) => explainPath(path, {map: '0 100000 65536', user}, '/nowhere', output);
  const named = await of('1000:1000');
  t.true(named.components.at(-1)?.hasAcl);
  t.true(named.may?.write.allowed);
  t.regex(named.may?.write.why ?? '', /entry of this user in the ACL/);
  t.false((await of('1001:1001')).may?.read.allowed);
});

rootTest.serial('a walk leaves no descriptor open, whatever it meets', (t) => {
  const open = () => execFileSync('sh', ['-c', `ls /proc/${process.pid}/fd | wc -l`], {encoding: 'utf8'}).trim();
  const before = open();
  for (const path of ['/usr/bin/../bin/sh', '/no/such', '/etc/passwd/x', '/', '/../../usr'])
    walkPath('self', path, '/usr/bin/perl');
  t.is(open(), before);
});

const subidTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

subidTest('an ordinary user explains a path of his own pod, in the ids of his grant', async (t) => {
  const first = 3_000_000_000 + (process.pid % 500) * 1_000_000;
  const user = await fakeUser(t, {subuid: `NAME:${first}:65536\n`});
  const lab = await makeLab(t, {uid: user.uid});
  const how = {...lab.child, prefix: user.prefix};
  const child = await ChildNode.open(t, {root: lab.root, mode: 'subid'}, how);
  const pod = await child.run({name: 'mine'});
  const args = ['explain', '/etc/hostname', '--pod', 'mine', '-o', 'json', '--root', lab.root];
  const {exitCode, stdout, stderr} = await runCli(args, how);
  t.is(exitCode, 0, stderr);
  const value = JSON.parse(stdout) as {
    readonly user: {readonly uid: number; readonly hostUid: number};
    readonly components: readonly {readonly path: string; readonly inside: unknown; readonly host: unknown}[];
    readonly may: {readonly read: {readonly allowed: boolean}};
  };
  t.is(value.user.uid, 0);
  t.is(value.user.hostUid, Number(mapTextOf(pod.pid).split(' ')[1]));
  const last = value.components.at(-1);
  t.is(last?.path, '/etc/hostname');
  t.deepEqual(last?.inside, {uid: 0, gid: 0});
  t.deepEqual(last?.host, {uid: value.user.hostUid, gid: value.user.hostUid});
  t.true(value.may.read.allowed);
  await child.call('close');
  await child.kill();
});

subidTest('a process of another user is seen with its own credentials', async (t) => {
  const folder = await dir({prefix: 'subroot-own', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  chmodSync(folder.path, 0o755);
  writeFileSync(join(folder.path, 'x'), '', {mode: 0o640});
  chownSync(join(folder.path, 'x'), 0, 4);
  const child = spawn('setpriv', ['--reuid', '1234', '--regid', '1234', '--groups', '4', 'sleep', '60'], {
    stdio: 'ignore',
  });
  t.teardown(() => child.kill('SIGKILL'));
  const report = await until('it has become that user', async () => {
    const found = await explainPath(join(folder.path, 'x'), {pid: String(child.pid)}, '/nowhere', output);
    return found.view.who.fsuid === 1234 ? found : undefined;
  });
  t.true(report.may?.read.allowed);
  t.regex(report.may?.read.why ?? '', /group's bits/);
  t.false(report.may?.write.allowed);
});
