import {mkdirSync, readdirSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {runCli} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest} from '../helpers/host-test.ts';
import {busyboxEntries, dockerArchive, imageOf, layerOf} from '../helpers/image-builder.ts';
import {makeLab} from '../helpers/lab.ts';

const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv', 'busybox');

let next = 3_200_000_000 + (process.pid % 400) * 1_000_000;
function grant(size: number): {first: number; line: string} {
  next += 1_000_000;
  return {first: next, line: `NAME:${next}:${size}\n`};
}

/** A user with a state folder, a store, and an archive of an image; the program as that user. */
async function world(t: ExecutionContext, subuid: string) {
  const user = await fakeUser(t, subuid === '' ? {} : {subuid});
  const lab = await makeLab(t, {uid: user.uid});
  const folder = await dir({prefix: 'subroot-user-images', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const {chownSync} = await import('node:fs');
  chownSync(folder.path, user.uid, user.uid);
  const upper = await layerOf([
    {name: 'etc/.wh.motd', content: ''},
    {name: 'home/.wh..wh..opq', content: ''},
    {name: 'srv/disk', type: 'block-device', devmajor: 8, devminor: 0, mode: 0o666},
  ]);
  const image = imageOf([await layerOf(busyboxEntries()), upper], {Cmd: ['/bin/sleep', '1000000']});
  const archive = join(folder.path, 'app.tar');
  mkdirSync(dirname(archive), {recursive: true});
  writeFileSync(archive, await dockerArchive([{image, tags: ['demo/app:1']}]));
  const store = join(folder.path, 'images');
  const subroot = async (args: readonly string[], input?: string) => {
    const ran = await runCli(args, {
      ...lab.child,
      env: {...lab.child.env, SUBROOT_ROOT: lab.root, SUBROOT_IMAGE_STORE: store},
      prefix: user.prefix,
      ...(input === undefined ? {} : {input}),
    });
    t.is(ran.exitCode, 0, `${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  };
  const pod = (name: string) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {name},
      spec: {hostUsers: false, containers: [{name: 'a', image: 'demo/app:1'}]},
    });
  const inPod = async (name: string, script: string) => (await subroot(['exec', name, 'sh', '-c', script])).trim();
  return {user, lab, store, archive, subroot, pod, inPod};
}

userTest.serial('in mode subid each block has a copy of its own, made when a pod first has it', async (t) => {
  const {first, line} = grant(2 * 65_536);
  const {lab, store, archive, subroot, pod, inPod} = await world(t, line);
  await subroot(['import', archive]);
  // What can be known is known now, and nothing is unpacked for nobody.
  t.deepEqual(readdirSync(join(store, 'layers')), []);
  for (const name of ['a', 'b']) await subroot(['run', '-'], pod(name));
  const views = readdirSync(join(store, 'layers')).sort();
  t.deepEqual(views, [`owned-${first}-${first}-65536`, `owned-${first + 65_536}-${first + 65_536}-65536`]);
  for (const [index, view] of views.entries()) {
    const trees = readdirSync(join(store, 'layers', view)).map((layer) => join(store, 'layers', view, layer, 'tree'));
    t.is(trees.length, 2);
    const base = first + index * 65_536;
    const busybox = trees.map((tree) => statSync(join(tree, 'bin/busybox'), {throwIfNoEntry: false})).find(Boolean);
    t.is(busybox?.uid, base);
    const owned = trees.map((tree) => statSync(join(tree, 'srv/owned'), {throwIfNoEntry: false})).find(Boolean);
    t.deepEqual([owned?.uid, owned?.gid], [base + 1000, base + 1001]);
  }
  for (const name of ['a', 'b']) {
    t.is(await inPod(name, 'stat -c "%u %g" /bin/busybox /srv/owned'), '0 0\n1000 1001');
    t.is(
      await inPod(name, 'ls -A /home; test -e /etc/motd || echo gone; test -e /srv/disk || echo none'),
      'gone\nnone',
    );
    t.is(await inPod(name, 'echo mine > /etc/motd; chown 7:8 /etc/motd; stat -c "%u %g" /etc/motd'), '7 8');
  }
  await subroot(['rm', '--all']);
  // The second pod of a block finds its copy.
  const before = statSync(join(store, 'layers', views[0] ?? '')).mtimeMs;
  await subroot(['run', '-'], pod('c'));
  t.is(statSync(join(store, 'layers', views[0] ?? '')).mtimeMs, before);
  await subroot(['rm', '--all']);
  await subroot(['rmi', 'demo/app:1']);
  // Files of subordinate ids too.
  for (const view of views) t.deepEqual(readdirSync(join(store, 'layers', view)), []);
  t.deepEqual(readdirSync(join(store, 'blobs')), []);
  t.deepEqual(readdirSync(join(store, 'tmp')), []);
  await lab.untilNothingIsLeft('the pods were removed');
});

userTest.serial('in mode single all files are the user’s', async (t) => {
  const {user, lab, store, archive, subroot, pod, inPod} = await world(t, '');
  await subroot(['import', archive]);
  await subroot(['run', '-'], pod('one'));
  t.deepEqual(readdirSync(join(store, 'layers')), [`single-${user.uid}-${user.uid}`]);
  t.is(await inPod('one', 'stat -c "%u %g" /bin/busybox /srv/owned'), '0 0\n0 0');
  t.is(await inPod('one', 'ls -A /home; test -e /etc/motd || echo gone; cat /srv/owned'), 'gone\nof anna');
  await subroot(['rm', 'one']);
  await subroot(['rmi', '--all']);
  t.deepEqual(readdirSync(join(store, 'layers', `single-${user.uid}-${user.uid}`)), []);
  await lab.untilNothingIsLeft('the pod was removed');
});
