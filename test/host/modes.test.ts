import {readFileSync} from 'node:fs';
import {ChildError, ChildNode, type ChildPod} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest} from '../helpers/host-test.ts';
import {makeLab} from '../helpers/lab.ts';

const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv').serial;
const sleeper = (name: string) => ({name, command: ['sleep', 'infinity']});

/** What root of the machine sees: the ids of a process, whatever namespaces are between. */
function kernelIdsOf(pid: number): {readonly map: string; readonly uid: number} {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const map = readFileSync(`/proc/${pid}/uid_map`, 'latin1').trim().split(/\s+/).join(' ');
  return {map, uid: Number(/^Uid:\t(\d+)/m.exec(status)?.[1])};
}

userTest('an ordinary user has as many pods at once as blocks, each with ids of its own', async (t) => {
  const user = await fakeUser(t, {subuid: 'NAME:3000000000:262144\n'});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
  lab.spared.add(child.pid);
  const {mode, reason} = await child.call<{mode: string; reason: string}>('open', {root: lab.root});
  t.is(mode, 'subid');
  t.regex(reason, /owns 4 blocks of subordinate ids/);
  const pods: ChildPod[] = [];
  for (const name of ['a', 'b', 'c', 'd']) pods.push(await child.call<ChildPod>('run', sleeper(name)));
  const seen = pods.map(({pid}) => kernelIdsOf(pid));
  const firsts = seen.map(({uid}) => uid).sort((a, b) => a - b);
  t.deepEqual(firsts, [3_000_000_000, 3_000_065_536, 3_000_131_072, 3_000_196_608], 'disjoint, and all of the grant');
  for (const [index, {map, uid}] of seen.entries()) {
    t.is(map, `0 ${uid} 65536`, 'the kernel’s own word');
    t.is(pods[index]?.block?.first, uid, 'what we say is what the kernel says');
  }
  const full = await t.throwsAsync(() => child.call('run', sleeper('e')), {instanceOf: ChildError});
  t.is((full as ChildError).code, 'SUBROOT_POOL_EXHAUSTED');
  const {stdout} = await child.call<{stdout: string}>('exec', 'a', ['sh', '-c', 'id -u; cat /proc/self/setgroups']);
  t.is(stdout, '0\nallow');
  await child.call('close');
  await child.kill();
});

userTest('a grant smaller than a block gives one reduced pod, and says so', async (t) => {
  const user = await fakeUser(t, {subuid: 'NAME:3000000000:1000\n'});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
  lab.spared.add(child.pid);
  const {mode, reason} = await child.call<{mode: string; reason: string}>('open', {root: lab.root, mode: 'subid'});
  t.is(mode, 'subid');
  t.regex(reason, /reduced: 1000 ids, a pod should have 65536/);
  const pod = await child.call<ChildPod>('run', sleeper('small'));
  t.deepEqual(kernelIdsOf(pod.pid), {map: '0 3000000000 1000', uid: 3_000_000_000});
  const {stdout} = await child.call<{stdout: string}>('exec', 'small', [
    'sh',
    '-c',
    'chown 999:999 /tmp && chown 1000 /tmp; echo $?',
  ]);
  t.is(stdout, '1', 'id 999 is mapped and 1000 is not');
  await child.call('close');
  await child.kill();
});

userTest('mode single has one id, the caller’s, and its evidence says what it is', async (t) => {
  const user = await fakeUser(t);
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
  lab.spared.add(child.pid);
  const {mode, reason} = await child.call<{mode: string; reason: string}>('open', {root: lab.root});
  t.is(mode, 'single');
  t.regex(reason, /^one id only: user anna\d+ has no subordinate ids/);
  const pod = await child.call<ChildPod>('run', sleeper('one'));
  t.deepEqual(kernelIdsOf(pod.pid), {map: `0 ${user.uid} 1`, uid: user.uid});
  const evidence = await child.call<{mode: string; process: {hostUid: number}; userNamespace: {differs: boolean}}>(
    'evidence',
    'one',
  );
  t.is(evidence.mode, 'single');
  t.is(evidence.process.hostUid, user.uid);
  t.true(evidence.userNamespace.differs);
  await child.call('close');
  await child.kill();
});

userTest(
  'an emptyDir in mode subid belongs to the pod’s root and is gone with the pod; a hostPath is refused',
  async (t) => {
    const user = await fakeUser(t, {subuid: 'NAME:3000000000:131072\n'});
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
    lab.spared.add(child.pid);
    await child.call('open', {root: lab.root, mode: 'subid'});
    const mounted = {volumeMounts: [{name: 'v', mountPath: '/v'}]};
    await child.call('run', {...sleeper('v'), volumes: [{name: 'v', emptyDir: {}}], ...mounted});
    const {stdout} = await child.call<{stdout: string}>('exec', 'v', [
      'sh',
      '-c',
      'stat -c %u:%g /v; echo x > /v/x && cat /v/x',
    ]);
    t.is(stdout, '0:0\nx');
    const path = {...sleeper('h'), volumes: [{name: 'v', hostPath: {path: '/tmp'}}], ...mounted};
    const refused = await t.throwsAsync(() => child.call('run', path), {instanceOf: ChildError});
    t.is((refused as ChildError).code, 'SUBROOT_CONFIG_INVALID');
    t.regex(refused?.message ?? '', /\/tmp needs an idmapped mount, which only mode host may make/);
    await child.call('close');
    await child.kill();
  },
);
