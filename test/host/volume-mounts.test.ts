import {execFileSync, spawn} from 'node:child_process';
import {mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {ContainerConfig, Mount} from '../../native-free/cri.ts';
import {parseManifests} from '../../src/index.ts';
import {ChildNode} from '../helpers/child-node.ts';
import {inOwnMounts} from '../helpers/fake-user.ts';
import {hostTest, until, withNode} from '../helpers/host-test.ts';
import {sh, sharedFolder} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';
import {say, volumePod} from '../helpers/volume-scene.ts';

const rootTest = hostTest('root', 'userns', 'perl');

function only(text: string) {
  const [pod] = parseManifests(text, {file: 'the test'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}

// ── sub-paths

async function volumeWithLinks(t: ExecutionContext): Promise<{data: string; outside: string}> {
  const folder = await sharedFolder(t);
  const [data, outside] = [join(folder, 'data'), join(folder, 'outside')];
  mkdirSync(join(data, 'real/deep'), {recursive: true});
  mkdirSync(outside);
  writeFileSync(join(outside, 'marker'), 'outside');
  writeFileSync(join(data, 'real/marker'), 'inside');
  writeFileSync(join(data, 'file'), 'a file');
  symlinkSync('real', join(data, 'inside'));
  symlinkSync('../data/real', join(data, 'around'));
  symlinkSync(outside, join(data, 'absolute'));
  symlinkSync('../outside', join(data, 'up'));
  symlinkSync('/proc/self/root', join(data, 'magic'));
  symlinkSync('nowhere', join(data, 'dangling'));
  return {data, outside};
}

rootTest('a subPath follows links inside of its volume, and is refused when it leads out', async (t) => {
  const {data, outside} = await volumeWithLinks(t);
  const node = await withNode(t);
  const target = (name: string) => {
    const folder = join(node.ledger.podDir('test'), 'volume-subpaths/v');
    mkdirSync(folder, {recursive: true});
    return join(folder, name);
  };
  const open = (subPath: string, name: string) =>
    node.volumeHost.openSubPath({volume: 'v', root: data, subPath, target: target(name), owner: undefined});
  const seen = (path: string) => `/proc/${node.runtime.agent.pid}/root${path}`;
  t.is(readFileSync(`${seen(await open('inside', 'a'))}/marker`, 'utf8'), 'inside');
  t.is(readFileSync(seen(await open('inside/marker', 'b')), 'utf8'), 'inside');
  t.deepEqual(readdirSync(seen(await open('./real//deep/new/er', 'c'))), []);
  t.deepEqual(readdirSync(join(data, 'real/deep')), ['new']);
  for (const [subPath, why] of [
    ['absolute', /leads out of the volume \(EXDEV\)/],
    ['absolute/made', /leads out of the volume \(EXDEV\)/],
    ['up/made', /leads out of the volume \(EXDEV\)/],
    ['around', /leads out of the volume \(EXDEV\)/],
    ['magic/etc', /leads out of the volume|link of a process/],
    ['dangling', /ends in a link that leads nowhere \(EEXIST\)/],
    ['file/below', /goes through something that is no folder \(ENOTDIR\)/],
  ] as const)
    await t.throwsAsync(open(subPath, 'x'), {code: 'SUBROOT_VOLUME_SUB_PATH', message: why}, subPath);
  t.deepEqual(readdirSync(outside), ['marker'], 'nothing was made outside');
  await node.removeTree(node.ledger.podDir('test'));
  t.is(readFileSync(join(data, 'real/marker'), 'utf8'), 'inside');
});

rootTest('whoever swaps a folder for a link while a subPath is opened, it never leads out', async (t) => {
  const {data, outside} = await volumeWithLinks(t);
  mkdirSync(join(data, 'swapped'));
  writeFileSync(join(data, 'swapped/marker'), 'inside');
  symlinkSync(outside, join(data, 'link'));
  // Exchanges the two names as fast as it can: renameat2(2) with RENAME_EXCHANGE.
  const script =
    'my ($nr, $a, $b) = ($ARGV[0] eq "arm64" ? 276 : 316, @ARGV[1, 2]); print "up\\n"; $| = 1; while (1) { syscall $nr, -100, $a, -100, $b, 2 }';
  const swapper = spawn('perl', ['-e', `$| = 1; ${script}`, process.arch, join(data, 'swapped'), join(data, 'link')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => swapper.kill('SIGKILL'));
  await new Promise((resolve) => swapper.stdout.once('data', resolve));
  const node = await withNode(t);
  const folder = join(node.ledger.podDir('test'), 'volume-subpaths/v');
  mkdirSync(folder, {recursive: true});
  const ends = {inside: 0, refused: 0};
  for (let round = 0; round < 300; round++) {
    const target = join(folder, String(round));
    try {
      await node.volumeHost.openSubPath({volume: 'v', root: data, subPath: 'swapped', target, owner: undefined});
    } catch (error) {
      t.like(error, {code: 'SUBROOT_VOLUME_SUB_PATH'});
      ends.refused += 1;
      continue;
    }
    t.is(readFileSync(`/proc/${node.runtime.agent.pid}/root${target}/marker`, 'utf8'), 'inside');
    ends.inside += 1;
  }
  t.true(ends.inside > 0 && ends.refused > 0, `the control: both were seen (${JSON.stringify(ends)})`);
  await node.removeTree(node.ledger.podDir('test'));
});

rootTest('a subPathExpr is made of the container’s variables', async (t) => {
  const data = await sharedFolder(t);
  const node = await withNode(t);
  const text = (expression: string) =>
    volumePod({
      volumes: `{name: v, hostPath: {path: ${data}}}`,
      mounts: `{name: v, mountPath: /v, subPathExpr: "${expression}"}`,
      container: 'env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: UP, value: ../x}]',
    });
  const pod = await node.runPod(only(text('logs/$(POD)')));
  await sh(pod, 'echo x > /v/made');
  t.is(readFileSync(join(data, 'logs/vol/made'), 'utf8'), 'x\n');
  await pod.remove();
  const code = 'SUBROOT_VOLUME_SUB_PATH';
  await t.throwsAsync(node.runPod(only(text('$(UP)'))), {code, message: /contains "\.\."/});
  await t.throwsAsync(node.runPod(only(text('$(NOT)'))), {
    code,
    message: /asks for the variable NOT, which container main of pod vol does not have/,
  });
});

// ── propagation and read-only mounts, in a mount namespace of the test's own

const sharedScene = [
  'd="$SCENE"',
  'mkdir -p "$d/shared" "$d/private"',
  'mount -t tmpfs s "$d/shared"',
  'mount --make-shared "$d/shared"',
  'mkdir "$d/shared/sub" "$d/shared/later"',
  'mount -t tmpfs u "$d/shared/sub"',
].join(' && ');

async function inScene(t: ExecutionContext) {
  const lab = await makeLab(t);
  const folder = await sharedFolder(t);
  const child = await ChildNode.open(t, lab.options, {
    ...lab.child,
    env: {...lab.env, SCENE: folder},
    prefix: inOwnMounts(sharedScene),
  });
  /** Runs a script in the child's mount namespace, as its user would on the machine. */
  const host = (script: string) =>
    execFileSync('nsenter', ['-m', '-t', String(child.pid), 'sh', '-c', script], {encoding: 'utf8'}).trim();
  return {lab, folder, child, host};
}

rootTest.serial('a pod sees later mounts of the machine with HostToContainer, and without it none', async (t) => {
  const {lab, folder, child, host} = await inScene(t);
  for (const readOnly of ['false', 'true']) {
    const name = `ro-${readOnly}`;
    await child.runText(
      volumePod({
        name,
        volumes: `{name: v, hostPath: {path: ${folder}/shared}}`,
        mounts: `{name: v, mountPath: /hears, mountPropagation: HostToContainer, readOnly: ${readOnly}}, {name: v, mountPath: /deaf}`,
      }),
    );
    host(`mount -t tmpfs l ${folder}/shared/later && echo news > ${folder}/shared/later/file`);
    t.is(await child.sh(name, 'cat /hears/later/file; ls /deaf/later'), 'news', name);
    host(`umount ${folder}/shared/later`);
    t.is(await child.sh(name, 'ls /hears/later'), '', 'and sees them go');
    await child.call('remove', name);
  }
  await t.throwsAsync(
    child.runText(
      volumePod({
        volumes: `{name: v, hostPath: {path: ${folder}/private}}`,
        mounts: '{name: v, mountPath: /v, mountPropagation: HostToContainer}',
      }),
    ),
    {code: 'SUBROOT_CONFIG_INVALID', message: /is mounted on \/.* but it is not a shared or slave mount/},
  );
  await child.call('close');
  await child.kill();
  await lab.untilNothingIsLeft('the end');
});

for (const hostUsers of ['true', 'false']) {
  rootTest.serial(`the machine sees mounts of a pod with Bidirectional and hostUsers ${hostUsers}`, async (t) => {
    const {lab, folder, child, host} = await inScene(t);
    const pod = await child.runText(
      volumePod({
        spec: `hostUsers: ${hostUsers}`,
        volumes: `{name: v, hostPath: {path: ${folder}/shared}}`,
        mounts: '{name: v, mountPath: /both, mountPropagation: Bidirectional}',
        // Without the one capability that a machine in a container may lack itself.
        container: 'securityContext: {privileged: true, capabilities: {drop: [SYS_RESOURCE]}}',
      }),
    );
    const said = await say(child, pod, 'mount -t tmpfs p /both/later && echo of the pod > /both/later/file');
    t.is(said.trim(), '');
    t.is(host(`cat ${folder}/shared/later/file`), 'of the pod');
    host(
      `mkdir ${folder}/shared/third && mount -t tmpfs h ${folder}/shared/third && echo of the host > ${folder}/shared/third/file`,
    );
    t.is(await child.sh(pod.name, 'cat /both/third/file; umount /both/later; ls /both/later'), 'of the host');
    t.is(host(`ls ${folder}/shared/later`), '', 'and sees them go');
    await child.call('close');
    await child.kill();
    await lab.untilNothingIsLeft('the end');
  });
}

rootTest.serial(
  'readOnly is the mount alone, recursiveReadOnly those below it too, and the kernel has locked both',
  async (t) => {
    const {lab, folder, child} = await inScene(t);
    const pod = await child.runText(
      volumePod({
        volumes: `{name: v, hostPath: {path: ${folder}/shared}}`,
        mounts: [
          '{name: v, mountPath: /top, readOnly: true}',
          '{name: v, mountPath: /all, readOnly: true, recursiveReadOnly: Enabled}',
          '{name: v, mountPath: /maybe, readOnly: true, recursiveReadOnly: IfPossible}',
        ].join(', '),
        container: 'securityContext: {privileged: true}',
      }),
    );
    const writes = (path: string) => `if echo x 2>/dev/null > ${path}/x; then echo written; else echo refused; fi`;
    const paths = ['/top', '/top/sub', '/all', '/all/sub', '/maybe/sub'];
    const expected = ['refused', 'written', 'refused', 'refused', 'refused'];
    t.deepEqual((await child.sh(pod.name, paths.map(writes).join('; '))).split('\n'), expected);
    const unlock = paths.map((path) => `mount -o remount,bind,rw ${path}`).join('; ');
    const said = await say(child, pod, `grep CapEff /proc/self/status; ${unlock}; umount /all/sub; umount /top/sub; :`);
    t.regex(said, /CapEff:\s+000001ffffffffff/, 'the control: it may mount in its namespace');
    t.deepEqual((await child.sh(pod.name, paths.map(writes).join('; '))).split('\n'), expected, said);
    await child.call('close');
    await child.kill();
    await lab.untilNothingIsLeft('the end');
  },
);

// ── any caller of the runtime

rootTest('the runtime holds to the fields of a mount for any caller of CRI', async (t) => {
  const data = await sharedFolder(t);
  writeFileSync(join(data, 'file'), 'x');
  const node = await withNode(t);
  const pod = await node.runPod({command: ['sleep', 'infinity']});
  const {record} = pod as unknown as {record: {id: string; config: never}};
  const config = (mount: Partial<Mount>): ContainerConfig => ({
    metadata: {name: 'other', attempt: 0},
    image: {image: 'host'},
    command: ['sleep', 'infinity'],
    mounts: [{hostPath: data, containerPath: '/v', ...mount}],
  });
  const create = (mount: Partial<Mount>) =>
    node.runtime.createContainer({podSandboxId: record.id, config: config(mount), sandboxConfig: record.config});
  const own = [{containerId: 0, hostId: pod.block?.first ?? 0, length: 65_536}];
  for (const [mount, why] of [
    [{recursiveReadOnly: true}, /recursive_read_only: .* would have to be readonly/],
    [
      {recursiveReadOnly: true, readonly: true, propagation: 'PROPAGATION_HOST_TO_CONTAINER'},
      /with private propagation/,
    ],
    [{propagation: 'PROPAGATION_BIDIRECTIONAL'}, /is mounted on \/.* but it is not a shared mount/],
    [{hostPath: join(data, 'missing')}, /there is nothing at .*missing/],
    [{containerPath: 'v'}, /v is not a full path/],
    [{uidMappings: own}, /gid_mappings: those of \/v are not those of the pod/],
    [
      {uidMappings: own, gidMappings: [{containerId: 0, hostId: 65_536, length: 65_536}]},
      /gid_mappings: those of \/v are not/,
    ],
    [
      {hostPath: '/proc', uidMappings: own, gidMappings: own},
      /uid_mappings: proc, mounted at \/proc, has no idmapped mounts/,
    ],
  ] as const) {
    await t.throwsAsync(create(mount), {code: 'SUBROOT_CONFIG_INVALID', message: why});
  }
  t.is((await pod.containers()).length, 1, 'none was made');
  const {containerId} = await create({uidMappings: own, gidMappings: own, readonly: true});
  await node.runtime.startContainer({containerId});
  await until('it runs', async () =>
    (await pod.containers()).some(({name, state}) => name === 'other' && state === 'RUNNING'),
  );
  const {stdout} = await pod.exec(['stat', '-c', '%u', '/v/file'], {container: 'other'});
  t.is(stdout, '0');
});

rootTest('fsGroup: OnRootMismatch leaves a volume whose root has the group, Always gives it to all', async (t) => {
  const data = await sharedFolder(t);
  const node = await withNode(t);
  const give = (onlyOnRootMismatch: boolean) =>
    node.volumeHost.setOwners(data, {
      uid: undefined,
      gid: 3000,
      fileBits: 0o660,
      folderBits: 0o2770,
      onlyOnRootMismatch,
    });
  const look = (path: string) => execFileSync('stat', ['-c', '%u:%g %a', path], {encoding: 'utf8'}).trim();
  const file = join(data, 'file');
  writeFileSync(file, '', {mode: 0o600});
  symlinkSync('/etc/hostname', join(data, 'link'));
  const hostname = look('/etc/hostname');
  await give(true);
  t.deepEqual(
    [look(data), look(file), look(join(data, 'link'))],
    ['0:3000 2775', '0:3000 660', '0:3000 777'],
    'the root did not match',
  );
  execFileSync('chown', ['5:5', file]);
  await give(true);
  t.is(look(file), '5:5 660', 'the root matches');
  execFileSync('chmod', ['g-s', data]);
  await give(true);
  t.is(look(file), '5:3000 660', 'a root without the setgid bit does not match');
  execFileSync('chown', ['5:5', file]);
  await give(false);
  t.is(look(file), '5:3000 660', 'Always asks nothing');
  t.is(look('/etc/hostname'), hostname, 'links are not followed');
});
