import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {parseManifests} from '../../src/index.ts';
import {ChildNode, runCli} from '../helpers/child-node.ts';
import {fakeUser, inOwnMounts} from '../helpers/fake-user.ts';
import {hostTest, withNode} from '../helpers/host-test.ts';
import {sh, sharedFolder} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';
import {everyKind, everyKindInside, lookAtEveryKind, objects, say, volumePod} from '../helpers/volume-scene.ts';

const rootTest = hostTest('root', 'userns', 'perl');
const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

let next = 2_300_000_000 + (process.pid % 500) * 1_000_000;
function grant(): string {
  next += 1_000_000;
  return `NAME:${next}:131072\n`;
}

/** Owners of all that is in a folder, each once. */
function ownersBelow(folder: string): string[] {
  const {uid, gid} = lstatSync(folder);
  const below = lstatSync(folder).isDirectory()
    ? readdirSync(folder).flatMap((name) => ownersBelow(join(folder, name)))
    : [];
  return [...new Set([`${uid}:${gid}`, ...below])];
}

const read = (text: string) => {
  const {pods, objects: found} = parseManifests(text, {file: 'the test'});
  const [pod] = pods;
  if (!pod) throw new Error('no pod');
  return {pod, options: {objects: found}};
};

rootTest('every kind of volume has its owner, mode and files in the pod, and on disk those of the node', async (t) => {
  const node = await withNode(t);
  const {pod: spec, options} = read(everyKind);
  const pod = await node.runPod(spec, options);
  t.deepEqual((await sh(pod, lookAtEveryKind)).split('\n'), everyKindInside);
  t.is(
    await sh(
      pod,
      'cat /configmap/color /one /secret/password /projected/deep/er/pw /projected/name /downward/cpu /downward/labels',
    ),
    'bluebluesecrets3cretvol250app="web"\ntier="back \\"end\\""'.replace('secrets3cret', 's3crets3cret'),
  );
  t.is(await sh(pod, 'od -An -tx1 /configmap/raw'), ' ff 00');
  t.regex(
    await sh(pod, 'readlink /configmap/..data /configmap/color /projected/deep'),
    /^\.\.\d{4}(_\d\d){5}\.\d+\n\.\.data\/color\n\.\.data\/deep$/,
  );
  t.is(
    await sh(pod, 'ls -a /configmap | grep -v "^\\.\\.2"'),
    ['.', '..', '..data', 'color', 'raw', 'shape'].join('\n'),
  );
  t.regex(await sh(pod, 'id'), /^uid=0\(root\) gid=0\(root\) groups=0\(root\),2000$/);
  t.regex(await sh(pod, 'df -k /memory | tail -1'), /^tmpfs\s+1024\s/, 'the limit is the size of the tmpfs');
  t.is(
    await sh(
      pod,
      'for f in configmap secret downward projected; do echo x 2>/dev/null > /$f/new && echo written; done; :',
    ),
    '',
  );
  await sh(
    pod,
    'echo x > /disk/made-inside; chown 5:6 /disk/made-inside; echo y > /part/too; test -f /disk/made/here/too',
  );
  const volumes = join(node.ledger.podDir(pod.uid), 'volumes');
  t.deepEqual(
    readdirSync(volumes).sort(),
    ['configmap', 'downward-api', 'empty-dir', 'projected', 'secret'].map((name) => `kubernetes.io~${name}`),
  );
  t.deepEqual(ownersBelow(join(volumes, 'kubernetes.io~secret')).sort(), ['0:0', '0:2000']);
  const made = statSync(join(volumes, 'kubernetes.io~empty-dir/disk/made-inside'));
  t.deepEqual([made.uid, made.gid], [5, 6], 'shifted by the mount, not on disk');
});

userTest.serial('with subordinate ids the pod sees the same, and its files belong to its block', async (t) => {
  const user = await fakeUser(t, {subuid: grant()});
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.open(t, {root: lab.root}, {...lab.child, prefix: user.prefix});
  t.is(child.mode, 'subid');
  const pod = await child.runText(everyKind);
  t.deepEqual((await child.sh(pod.name, lookAtEveryKind)).split('\n'), everyKindInside);
  t.is(await child.sh(pod.name, 'cat /one /secret/password /projected/deep/er/pw'), 'blues3crets3cret');
  t.regex(await child.sh(pod.name, 'df -k /memory | tail -1'), /^tmpfs\s+1024\s/);
  t.is(await child.sh(pod.name, 'echo x > /disk/made; chown 5:6 /disk/made; stat -c %u:%g /disk/made'), '5:6');
  const first = pod.block?.first ?? -1;
  const volumes = join(lab.root, 'ledger/pods', pod.uid, 'volumes');
  t.deepEqual(ownersBelow(join(volumes, 'kubernetes.io~secret/keys'.replace('keys', 'secret'))), [
    `${first}:${first + 2000}`,
  ]);
  t.is(statSync(join(volumes, 'kubernetes.io~empty-dir/disk/made')).uid, first + 5);
  await child.call('remove', pod.name);
  await child.call('close');
  await child.kill();
  await lab.untilNothingIsLeft('the pod was removed');
});

userTest.serial('a hostPath of an unprivileged user waits for a choice, before anything is made', async (t) => {
  const user = await fakeUser(t, {subuid: grant()});
  const lab = await makeLab(t, {uid: user.uid});
  const data = await sharedFolder(t);
  writeFileSync(join(data, 'mine'), 'mine', {mode: 0o600});
  writeFileSync(join(data, 'open'), 'open', {mode: 0o644});
  for (const path of [data, join(data, 'mine'), join(data, 'open')]) chownSync(path, user.uid, user.uid);
  const text = volumePod({
    volumes: `{name: data, hostPath: {path: ${data}}}, {name: made, hostPath: {path: ${data}/made, type: DirectoryOrCreate}}`,
    mounts: '{name: data, mountPath: /data}',
  });
  const open = (options: object) =>
    ChildNode.open(t, {root: lab.root, ...options}, {...lab.child, prefix: user.prefix});
  const refusing = await open({});
  const before = lab.snapshot();
  await t.throwsAsync(refusing.runText(text), {
    code: 'SUBROOT_VOLUME_NO_IDMAP',
    message:
      /volume data: the mounts of .* cannot have shifted ids: only root of the machine may shift the ids of ext4, mounted at .*mode subid \(EPERM\)\n.*--volume-ids nobody.*--volume-ids chown/s,
  });
  await lab.untilNothingIsNew(before);
  t.false(existsSync(join(data, 'made')));
  await refusing.kill();

  const nobody = await open({volumeIds: 'nobody'});
  const pod = await nobody.runText(text);
  t.is(
    await nobody.sh(pod.name, 'stat -c "%u:%g" /data/mine /data/open; cat /data/open'),
    '65534:65534\n65534:65534\nopen',
  );
  t.regex(await say(nobody, pod, 'cat /data/mine'), /Permission denied/);
  await nobody.call('remove', pod.name);
  await nobody.kill();
  t.is(statSync(join(data, 'mine')).uid, user.uid);

  const chown = await open({volumeIds: 'chown'});
  for (const name of ['first', 'second']) {
    const given = await chown.runText(text.replace('name: vol', `name: ${name}`));
    t.is(
      await chown.sh(name, 'stat -c "%u:%g" /data/mine; cat /data/mine'),
      '0:0\nmine',
      `${name} has it, whatever block it got`,
    );
    t.is(statSync(join(data, 'mine')).uid, given.block?.first ?? -1);
  }
  await chown.kill();
  await lab.untilNothingIsLeft('the end');
});

// ── file systems

const scene = [
  'd="$SCENE"',
  'mkdir -p "$d/tmpfs" "$d/ramfs" "$d/lower" "$d/upper" "$d/work" "$d/overlay" "$d/disk" "$d/mixed"',
  'mount -t tmpfs t "$d/tmpfs"',
  'mount -t ramfs r "$d/ramfs"',
  'mount -t overlay o "$d/overlay" -o "lowerdir=$d/lower,upperdir=$d/upper,workdir=$d/work"',
  'mount -t tmpfs m "$d/mixed"',
  'mkdir "$d/mixed/below"',
  'mount -t ramfs b "$d/mixed/below"',
  'for f in tmpfs ramfs overlay disk mixed; do echo secret > "$d/$f/file"; chmod 600 "$d/$f/file"; chown 7:8 "$d/$f/file"; done',
].join(' && ');

rootTest.serial(
  'a file system with idmapped mounts shows its ids; one without is refused by name, before anything is made',
  async (t) => {
    const lab = await makeLab(t);
    const folder = await sharedFolder(t);
    const child = await ChildNode.open(t, lab.options, {
      ...lab.child,
      env: {...lab.env, SCENE: folder},
      prefix: inOwnMounts(scene),
    });
    const pod = (name: string) =>
      volumePod({name, volumes: `{name: v, hostPath: {path: ${folder}/${name}}}`, mounts: '{name: v, mountPath: /v}'});
    for (const name of ['tmpfs', 'disk']) {
      await child.runText(pod(name));
      t.is(
        await child.sh(name, 'stat -c %u:%g /v/file; cat /v/file; touch /v/new; stat -c %u /v/new'),
        '7:8\nsecret\n0',
        name,
      );
      await child.call('remove', name);
    }
    const before = lab.snapshot();
    for (const [name, why] of [
      [
        'ramfs',
        /ramfs, mounted at .*\/ramfs, has no idmapped mounts on this kernel: few file systems have them \(EINVAL\)/,
      ],
      ['overlay', /overlay, mounted at .*\/overlay, has no idmapped mounts on this kernel: its layers can have them/],
      ['mixed', /ramfs, mounted at .*\/mixed\/below, has no idmapped mounts/],
    ] as const) {
      await t.throwsAsync(child.runText(pod(name)), {code: 'SUBROOT_VOLUME_NO_IDMAP', message: why}, name);
      await lab.untilNothingIsNew(before);
    }
    await child.kill();

    const nobody = await ChildNode.open(
      t,
      {...lab.options, volumeIds: 'nobody'},
      {...lab.child, env: {...lab.env, SCENE: folder}, prefix: inOwnMounts(scene)},
    );
    const shown = await nobody.runText(pod('ramfs'));
    t.regex(await say(nobody, shown, 'stat -c %u:%g /v/file; cat /v/file'), /^65534:65534\n+cat: .*Permission denied/);
    await nobody.kill();
    await lab.untilNothingIsLeft('the end');
  },
);

rootTest.serial('on a state folder without idmapped mounts the pod’s own volumes look the same', async (t) => {
  const lab = await makeLab(t);
  const folder = await sharedFolder(t);
  const child = await ChildNode.open(
    t,
    {...lab.options, root: join(folder, 'overlay')},
    {...lab.child, env: {...lab.env, SCENE: folder}, prefix: inOwnMounts(scene)},
  );
  const pod = await child.runText(everyKind);
  t.deepEqual((await child.sh(pod.name, lookAtEveryKind)).split('\n'), everyKindInside);
  const first = pod.block?.first ?? -1;
  const upper = join(folder, 'upper/ledger/pods', pod.uid, 'volumes/kubernetes.io~configmap/configmap');
  t.deepEqual(ownersBelow(upper), [`${first}:${first + 2000}`]);
  await child.call('remove', pod.name);
  t.false(existsSync(join(folder, 'upper/ledger/pods', pod.uid)));
  await child.kill();
});

// ── what may not happen

rootTest('a mount on a file of a hostPath leaves the file as it is', async (t) => {
  const data = await sharedFolder(t);
  writeFileSync(join(data, 'kept'), 'kept');
  const node = await withNode(t);
  const {pod: spec, options} = read(
    volumePod({
      before: objects,
      volumes: `{name: data, hostPath: {path: ${data}}}, {name: settings, configMap: {name: settings}}`,
      mounts: '{name: data, mountPath: /data}, {name: settings, mountPath: /data/kept, subPath: color}',
    }),
  );
  const pod = await node.runPod(spec, options);
  t.is(await sh(pod, 'cat /data/kept'), 'blue');
  await pod.remove();
  t.is(readFileSync(join(data, 'kept'), 'utf8'), 'kept');
});

rootTest('removing a pod removes nothing of a hostPath, through a subPath neither', async (t) => {
  const data = await sharedFolder(t);
  mkdirSync(join(data, 'part'));
  writeFileSync(join(data, 'part/precious'), 'still here');
  for (const lifetime of ['bound', 'detached'] as const) {
    const node = await withNode(t, {lifetime});
    const {pod: spec} = read(
      volumePod({
        volumes: `{name: data, hostPath: {path: ${data}}}`,
        mounts:
          '{name: data, mountPath: /data}, {name: data, mountPath: /part, subPath: part}, {name: data, mountPath: /file, subPath: part/precious}',
      }),
    );
    const pod = await node.runPod(spec);
    t.is(await sh(pod, 'cat /part/precious /file'), 'still herestill here');
    await pod.remove();
    t.false(existsSync(node.ledger.podDir(pod.uid)));
    t.is(readFileSync(join(data, 'part/precious'), 'utf8'), 'still here', lifetime);
  }
});

rootTest.serial('a process that is killed takes its pod’s volumes along, and nothing else', async (t) => {
  const lab = await makeLab(t);
  const data = await sharedFolder(t);
  mkdirSync(join(data, 'part'));
  writeFileSync(join(data, 'part/precious'), 'still here');
  const child = await ChildNode.open(t, lab.options, lab.child);
  await child.runText(
    everyKind
      .replace('volumes: [', `volumes: [{name: data, hostPath: {path: ${data}}}, `)
      .replace('volumeMounts: [', 'volumeMounts: [{name: data, mountPath: /data, subPath: part}, '),
  );
  t.is(await child.sh('vol', 'cat /data/precious'), 'still here');
  await child.kill();
  await lab.untilNothingIsLeft('the kill');
  t.is(readFileSync(join(data, 'part/precious'), 'utf8'), 'still here');
});

rootTest('folders that a pod made deeper than any path are removed with it, and counted', async (t) => {
  const node = await withNode(t, {volumeCheckMs: 20});
  const events: string[] = [];
  const pod = await node.runPod(
    read(volumePod({volumes: '{name: v, emptyDir: {sizeLimit: 1Mi}}', mounts: '{name: v, mountPath: /v}'})).pod,
    {onEvent: ({reason, message}) => events.push(`${reason}: ${message}`)},
  );
  const folder = join(node.ledger.podDir(pod.uid), 'volumes');
  const script =
    'chdir "/v"; for (1 .. 2500) { mkdir "deep" or die; chdir "deep" or die } open my $f, ">", "file"; print $f "x" x 2_000_000';
  await pod.$({reject: false})`perl -e ${script}`;
  t.is(await pod.wait(), 137);
  t.deepEqual(events, ['Evicted: Usage of EmptyDir volume "v" exceeds the limit "1Mi".']);
  await pod.remove();
  t.false(existsSync(folder));
});

rootTest('a start that fails takes back the folder that it made on the host', async (t) => {
  const data = await sharedFolder(t);
  const node = await withNode(t);
  const {pod: spec} = read(
    volumePod({
      volumes: `{name: made, hostPath: {path: ${data}/a/b, type: DirectoryOrCreate}}, {name: file, hostPath: {path: ${data}/f, type: FileOrCreate}}`,
      mounts: '{name: made, mountPath: /made, subPath: "x/y"}',
      container: 'securityContext: {runAsUser: 70000}',
    }),
  );
  await t.throwsAsync(node.runPod(spec), {code: 'SUBROOT_CONFIG_INVALID', message: /70000/});
  t.deepEqual(readdirSync(data), ['a'], 'what a subPath has made in it is the user’s by now');
  t.deepEqual(readdirSync(join(data, 'a/b')), ['x']);
});

rootTest('chown gives a folder to the pod when it is told to, and never a folder of the system', async (t) => {
  const data = await sharedFolder(t);
  writeFileSync(join(data, 'file'), 'x', {mode: 0o600});
  chownSync(join(data, 'file'), 1000, 100);
  const node = await withNode(t, {volumeIds: 'chown'});
  const text = (path: string) =>
    volumePod({volumes: `{name: v, hostPath: {path: ${path}}}`, mounts: '{name: v, mountPath: /v}'});
  const pod = await node.runPod(read(text(data)).pod);
  t.is(await sh(pod, 'stat -c %u:%g /v /v/file'), '0:0\n1000:100');
  t.deepEqual(ownersBelow(data), [
    `${pod.block?.first}:${pod.block?.first}`,
    `${(pod.block?.first ?? 0) + 1000}:${(pod.block?.first ?? 0) + 100}`,
  ]);
  await pod.remove();
  for (const path of ['/etc', '/usr/../var/lib', node.root])
    await t.throwsAsync(
      node.runPod(read(text(path).replace('/usr/../var/lib', '/var/lib')).pod),
      {code: 'SUBROOT_VOLUME_CHOWN', message: /is a folder of the system/},
      path,
    );
  t.is(statSync('/etc').uid, 0);
  t.is(readlinkSync('/proc/self/exe'), process.execPath);
});

// ── limits, other processes, other modes

rootTest(
  'a pod over the limit of an emptyDir on disk is evicted in the kubelet’s words, one below it is not',
  async (t) => {
    const node = await withNode(t, {volumeCheckMs: 20});
    const events: string[] = [];
    const text = volumePod({
      volumes: '{name: small, emptyDir: {sizeLimit: 1Mi}}, {name: other, emptyDir: {}}',
      mounts: '{name: small, mountPath: /small}, {name: other, mountPath: /other}',
    });
    const onEvent = ({reason, message}: {reason: string; message: string}) => {
      if (reason === 'Evicted') events.push(message);
    };
    const kept = await node.runPod(read(text.replace('name: vol', 'name: kept')).pod, {supervise: true, onEvent});
    const pod = await node.runPod(read(text).pod, {onEvent});
    const twin = await node.runPod(read(text.replace('name: vol', 'name: twin')).pod);
    const write = 'dd if=/dev/zero of=$1 bs=1024 count=$2 2>/dev/null';
    await twin.$`sh -c ${write} sh /small/file 900`;
    await twin.$`sh -c ${write} sh /other/file 3000`;
    await pod.$({reject: false})`sh -c ${write} sh /small/file 2000`;
    t.is(await pod.wait(), 137);
    await kept.$({reject: false})`sh -c ${write} sh /small/file 2000`;
    const end = await kept.supervision?.untilEnd();
    const message = 'Usage of EmptyDir volume "small" exceeds the limit "1Mi".';
    t.like(end, {end: 'ended', status: {phase: 'Failed', reason: 'Evicted', message}}, 'and not started again');
    t.deepEqual(events, [message, message]);
    t.is((await twin.containers())[0]?.state, 'RUNNING');
  },
);

rootTest.serial('volumes live on when the process that made them has ended, and another removes them', async (t) => {
  const lab = await makeLab(t);
  const env = {...lab.env, SUBROOT_ROOT: lab.root};
  const run = (...args: string[]) => runCli(args, {...lab.child, env});
  const data = await sharedFolder(t);
  mkdirSync(join(data, 'part'));
  writeFileSync(join(data, 'part/precious'), 'still here');
  const manifest = everyKind
    .replace(
      'volumes: [',
      `volumes: [{name: limited, emptyDir: {sizeLimit: 1Mi}}, {name: data, hostPath: {path: ${data}}}, `,
    )
    .replace('volumeMounts: [', 'volumeMounts: [{name: data, mountPath: /data, subPath: part}, ');
  const started = await runCli(['run', '-'], {...lab.child, env, input: manifest});
  t.is(started.exitCode, 0, started.stderr);
  t.regex(started.stderr, /warning: vol: nothing holds emptyDir limited on disk to its sizeLimit 1Mi without --wait/);
  const looked = await run(
    'exec',
    'vol',
    'sh',
    '-c',
    `${lookAtEveryKind}; cat /one /data/precious; echo x > /memory/file`,
  );
  t.deepEqual(looked.stdout.split('\n'), [...everyKindInside, 'bluestill here'], looked.stderr);
  t.is((await run('exec', 'vol', 'cat', '/memory/file')).stdout, 'x\n');
  t.is((await run('rm', 'vol')).exitCode, 0);
  await lab.untilNothingIsLeft('the pod was removed');
  t.is(readFileSync(join(data, 'part/precious'), 'utf8'), 'still here');
});

rootTest('a pod in the node’s own user namespace has the same volumes', async (t) => {
  const node = await withNode(t);
  const {pod: spec, options} = read(everyKind.replace('hostUsers: false', 'hostUsers: true'));
  const pod = await node.runPod(spec, options);
  t.deepEqual((await sh(pod, lookAtEveryKind)).split('\n'), everyKindInside);
});

userTest.serial('with one id the pod’s own volumes are its root’s, and a hostPath waits for a choice', async (t) => {
  const user = await fakeUser(t);
  const lab = await makeLab(t, {uid: user.uid});
  const data = await sharedFolder(t);
  writeFileSync(join(data, 'file'), 'x', {mode: 0o644});
  const open = (options: object) =>
    ChildNode.open(t, {root: lab.root, ...options}, {...lab.child, prefix: user.prefix});
  const child = await open({});
  t.is(child.mode, 'single');
  await child.runText(everyKind.replace('securityContext: {fsGroup: 2000}', ''));
  t.is(
    await child.sh('vol', 'stat -L -c %u:%g /disk /memory /secret/password /one; cat /one'),
    '0:0\n0:0\n0:0\n0:0\nblue',
  );
  await child.call('remove', 'vol');
  const host = volumePod({volumes: `{name: v, hostPath: {path: ${data}}}`, mounts: '{name: v, mountPath: /v}'});
  await t.throwsAsync(child.runText(host), {code: 'SUBROOT_VOLUME_NO_IDMAP', message: /mode single/});
  await child.call('close');
  await child.kill();
  const chown = await open({volumeIds: 'chown'});
  await t.throwsAsync(chown.runText(host), {code: 'SUBROOT_VOLUME_CHOWN', message: /mode single has one id/});
  await chown.call('close');
  await chown.kill();
  await lab.untilNothingIsLeft('the end');
});
