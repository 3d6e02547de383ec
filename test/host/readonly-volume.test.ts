import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {dir} from 'tmp-promise';
import {hostTest, withNode} from '../helpers/host-test.ts';

hostTest('root')('a read-only volume stays read-only for a pod root with every capability', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  await writeFile(join(folder.path, 'file'), 'as it was');
  const node = await withNode(t);
  const pod = await node.runPod({
    command: ['sleep', 'infinity'],
    securityContext: {privileged: true},
    volumes: [{name: 'v', hostPath: {path: folder.path}}],
    volumeMounts: [{name: 'v', mountPath: '/vol', readOnly: true}],
  });
  const script =
    'grep CapEff /proc/self/status; mount -o remount,bind,rw /vol; echo "remount $?"; echo x > /vol/file; echo "write $?"';
  const {stdout} = await pod.$({reject: false})`sh -c ${script}`;
  t.regex(stdout, /CapEff:\s+000001ffffffffff/, 'the control: it has CAP_SYS_ADMIN in its namespace');
  t.regex(stdout, /remount (?!0)\d+/, 'the kernel has locked the flag');
  t.regex(stdout, /write (?!0)\d+/);
  t.is(await readFile(join(folder.path, 'file'), 'utf8'), 'as it was');
});

hostTest('root')('a writable volume is written as the id the pod names, since its mount is shifted', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const node = await withNode(t);
  const pod = await node.runPod({
    command: ['sleep', 'infinity'],
    volumes: [{name: 'v', hostPath: {path: folder.path}}],
    volumeMounts: [{name: 'v', mountPath: '/vol'}],
  });
  await pod.$`sh -c ${'echo hello > /vol/made && chown 1000:1000 /vol/made'}`;
  const {statSync} = await import('node:fs');
  t.is(statSync(join(folder.path, 'made')).uid, 1000);
});
