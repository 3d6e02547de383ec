import {appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {manifestsOf, type Pod} from '../../sim/index.ts';
import {SubrootError} from '../../src/index.ts';
import {hostTest, withNode} from '../helpers/host-test.ts';
import {busyboxRoot, initOf, sh, statusField} from '../helpers/in-pod.ts';

const rootTest = hostTest('root', 'userns', 'perl');

let nextName = 0;
function podOf(image: string, podContext: object, context: object = {}): Pod {
  const container = {name: 'main', image, command: ['sleep', '1000'], securityContext: context};
  const spec = {hostUsers: false, securityContext: podContext, containers: [container]};
  const manifest = {apiVersion: 'v1', kind: 'Pod', metadata: {name: `user-${nextName++}`}, spec};
  const [pod] = manifestsOf(manifest, {file: 'the pod'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}

rootTest.serial(
  'a user has the group, the groups and the home that the image says; Strict leaves the groups out',
  async (t) => {
    const image = await busyboxRoot(t);
    appendFileSync(join(image, 'etc/passwd'), 'bob:x:1001:77::/home/bob:/bin/sh\n');
    writeFileSync(
      join(image, 'etc/group'),
      'root:x:0:\nteam:x:2000:anna,bob\nother:x:2001:anna\nbobs:x:77:bob\nadm:x:4:root\n',
    );
    const node = await withNode(t);
    const seen = async (podContext: object, context: object = {}) => {
      const pod = await node.runPod(podOf(image, podContext, context));
      const inExec = await sh(pod, 'id -u; id -g; grep Groups /proc/self/status; echo $HOME');
      const first = pod.block?.first ?? 0;
      const groups = (statusField(await initOf(pod), 'Groups') ?? '')
        .split(' ')
        .filter(Boolean)
        .map((id) => Number(id) - first);
      const {status} = await node.runtime.containerStatus({containerId: await pod.containerId()});
      await pod.remove();
      const [uid = '', gid = '', inside = '', home = ''] = inExec.split('\n');
      t.deepEqual(inside.replace('Groups:', '').trim().split(' ').filter(Boolean).map(Number), groups, 'exec as init');
      t.is(status.user?.linux.uid, Number(uid));
      const reported = [...(status.user?.linux.supplementalGroups ?? [])];
      // The kernel keeps groups sorted.
      t.deepEqual([reported.shift(), ...reported.sort((a, b) => a - b)], [Number(gid), ...groups]);
      return {uid, gid, groups, home};
    };
    t.deepEqual(await seen({runAsUser: 1000}), {uid: '1000', gid: '1000', groups: [2000, 2001], home: '/home/anna'});
    t.deepEqual(await seen({runAsUser: 1001, supplementalGroups: [3000, 2000]}), {
      uid: '1001',
      gid: '77',
      groups: [2000, 3000],
      home: '/home/bob',
    });
    t.deepEqual(await seen({runAsUser: 1001, supplementalGroups: [3000], supplementalGroupsPolicy: 'Strict'}), {
      uid: '1001',
      gid: '77',
      groups: [3000],
      home: '/home/bob',
    });
    t.deepEqual(await seen({runAsUser: 1000}, {runAsUser: 1001, runAsGroup: 9}), {
      uid: '1001',
      gid: '9',
      groups: [77, 2000],
      home: '/home/bob',
    });
    t.deepEqual(await seen({}), {uid: '0', gid: '0', groups: [4], home: '/root'}, 'root has groups too');
    t.deepEqual(await seen({runAsUser: 5555}), {uid: '5555', gid: '0', groups: [], home: '/'}, 'nobody of the image');
    const hostImage = await node.runPod(podOf('host', {runAsUser: 33}));
    t.is(await sh(hostImage, 'id -un; id -gn'), 'www-data\nwww-data', 'the accounts that image host has');
  },
);

rootTest.serial('links of an image lead nowhere but in it, and no FIFO or folder is read for accounts', async (t) => {
  const image = await busyboxRoot(t);
  const node = await withNode(t);
  const gidOf = async () => {
    const pod = await node.runPod(podOf(image, {runAsUser: 1000}));
    const gid = await sh(pod, 'id -g');
    await pod.remove();
    return gid;
  };
  const passwd = join(image, 'etc/passwd');
  rmSync(passwd);
  mkdirSync(join(image, 'deep/real'), {recursive: true});
  writeFileSync(join(image, 'deep/real/passwd'), 'x:x:1000:4242::/:\n');
  for (const target of ['/deep/real/passwd', '../deep/real/passwd', '../../../../../../deep/./real/../real/passwd']) {
    symlinkSync(target, passwd);
    t.is(await gidOf(), '4242', target);
    rmSync(passwd);
  }
  for (const target of ['passwd', '/nowhere', '/etc']) {
    symlinkSync(target, passwd);
    t.is(await gidOf(), '0', target);
    rmSync(passwd);
  }
});

rootTest.serial('the CRI takes a user by name, and refuses contradictions before anything is made', async (t) => {
  const image = await busyboxRoot(t);
  const node = await withNode(t);
  const {podSandboxId} = await node.runtime.runPodSandbox({
    config: {metadata: {name: 'users', namespace: 'cri', uid: 'uid-users', attempt: 0}},
  });
  t.teardown(() => node.runtime.removePodSandbox({podSandboxId}).catch(() => {}));
  const sandboxConfig = {metadata: {name: 'users', namespace: 'cri', uid: 'uid-users', attempt: 0}};
  let attempt = 0;
  const create = async (securityContext: object) => {
    const config = {
      metadata: {name: 'c', attempt: attempt++},
      image: {image},
      command: ['sleep', '1000'],
      linux: {securityContext},
    };
    return (await node.runtime.createContainer({podSandboxId, config, sandboxConfig})).containerId;
  };
  const containerId = await create({
    runAsUsername: 'anna',
    capabilities: {addAmbientCapabilities: ['NET_BIND_SERVICE']},
  });
  await node.runtime.startContainer({containerId});
  const {stdout} = await node.runtime.execSync({containerId, cmd: ['sh', '-c', 'id -u; grep Cap /proc/self/status']});
  const lines = String(stdout).trim().split('\n');
  t.is(lines[0], '1000');
  t.deepEqual(
    lines.slice(1).map((line) => line.replace(/\s+/, ' ')),
    [
      'CapInh: 0000000000000400',
      'CapPrm: 0000000000000400',
      'CapEff: 0000000000000400',
      'CapBnd: 00000000a80425fb',
      'CapAmb: 0000000000000400',
    ],
  );
  for (const [context, message] of [
    [{runAsUsername: 'nobody-here'}, /run_as_username: the image's \/etc\/passwd has no user nobody-here/],
    [{runAsUsername: 'anna', runAsUser: {value: 1}}, /run_as_username: run_as_user says who it is already/],
    [{runAsGroup: {value: 1}}, /run_as_group: a group needs a user/],
    [
      {capabilities: {addCapabilities: ['NET_ADMN']}},
      /capabilities\.add_capabilities: there is no capability NET_ADMN; did you mean CAP_NET_ADMIN\?/,
    ],
    [{capabilities: {dropCapabilities: ['sys_chrot']}}, /did you mean CAP_SYS_CHROOT\?/],
    [{apparmor: {profileType: 'RuntimeDefault'}}, /apparmor: .*AppArmor/],
    [{apparmorProfile: 'localhost/mine'}, /apparmor: .*Localhost mine/],
    [{selinuxOptions: {level: 's0:c1'}}, /selinux_options: .*SELinux/],
    [{seccompProfilePath: 'nonsense'}, /seccomp_profile_path: nonsense is neither/],
  ] as const) {
    const error = await t.throwsAsync(create(context), {
      instanceOf: SubrootError,
      code: 'SUBROOT_CONFIG_INVALID',
      message,
    });
    if (error instanceof SubrootError) t.is(error.grpc, 'INVALID_ARGUMENT');
  }
  for (const context of [
    {apparmor: {profileType: 'Unconfined'}},
    {apparmorProfile: 'unconfined'},
    {selinuxOptions: {}},
  ])
    await create(context);
  const filtered = await create({seccompProfilePath: 'runtime/default'});
  await node.runtime.startContainer({containerId: filtered});
  const answer = await node.runtime.execSync({containerId: filtered, cmd: ['grep', 'Seccomp:', '/proc/1/status']});
  t.is(String(answer.stdout).trim(), 'Seccomp:\t2');
});
