import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {SubrootError} from '../../native-free/errors.ts';
import {writeAtomically} from '../../sim/atomic-writer.ts';
import type {NodeFacts, Pod} from '../../sim/index.ts';
import {
  ApiObjects,
  claimVolumes,
  localVolumeHost,
  makeVolumes,
  manifestsOf,
  parseManifests,
  payloadOf,
  planVolumes,
  removeVolumes,
  validatePod,
  volumePath,
} from '../../sim/index.ts';
import {quoted} from '../../sim/volume-payload.ts';
import {newRoot} from './ledger-world.ts';

const facts: NodeFacts = {name: 'node', hostIPs: ['10.0.0.1'], capacity: {cpu: '4', memory: '1Gi'}};
const objects = manifestsOf(
  {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'settings'}, data: {a: 'A', b: 'B'}},
      {apiVersion: 'v1', kind: 'Secret', metadata: {name: 'keys'}, stringData: {k: 'K', a: 'secret A'}},
    ],
  },
  {file: 'objects'},
).objects;
const sources = {objects, node: () => facts};

function podOf(spec: string, metadata = '{name: web, uid: u}'): Pod {
  const text = `{apiVersion: v1, kind: Pod, metadata: ${metadata}, spec: {${spec}}}`;
  const [pod] = parseManifests(text, {file: 'pod', notYet: 'keep'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}
const withVolume = (volume: string, mount = 'mountPath: /v', more = '') =>
  podOf(
    `hostUsers: false, volumes: [{name: v, ${volume}}], ${more} containers: [{name: c, image: host, volumeMounts: [{name: v, ${mount}}]}]`,
  );

// ── files

function filesOf(volume: string, from = sources, metadata?: string): Record<string, string> {
  const pod = podOf(
    `volumes: [{name: v, ${volume}}], containers: [{name: c, image: host, resources: {limits: {memory: 64Mi}, requests: {cpu: 100m}}}]`,
    metadata,
  );
  const [first] = pod.spec.volumes;
  if (!first || !('sources' in first)) throw new Error('no volume of the API');
  return Object.fromEntries(
    payloadOf(pod, first, from).map(({path, bytes, mode}) => [
      `${path} ${mode.toString(8)}`,
      Buffer.from(bytes).toString('utf8'),
    ]),
  );
}

test('keys become files with the default mode, items with paths and modes of their own', (t) => {
  t.deepEqual(filesOf('configMap: {name: settings}'), {'a 644': 'A', 'b 644': 'B'});
  t.deepEqual(filesOf('secret: {secretName: keys, defaultMode: 0400, items: [{key: k, path: "x//./y", mode: 0440}]}'), {
    'x/y 440': 'K',
  });
  t.deepEqual(filesOf('secret: {secretName: keys, defaultMode: 256}'), {'a 400': 'secret A', 'k 400': 'K'});
});

test('of two sources of a projected volume the later one has the file', (t) => {
  t.deepEqual(filesOf('projected: {sources: [{configMap: {name: settings}}, {secret: {name: keys}}]}'), {
    'a 644': 'secret A',
    'b 644': 'B',
    'k 644': 'K',
  });
});

test('a downwardAPI volume tells of the pod and its containers', (t) => {
  const items = [
    ['labels', 'fieldRef: {fieldPath: metadata.labels}'],
    ['one', `fieldRef: {fieldPath: "metadata.annotations['n']"}`],
    ['name', 'fieldRef: {fieldPath: metadata.name}'],
    ['memory', 'resourceFieldRef: {containerName: c, resource: limits.memory, divisor: 1Mi}'],
    ['cpu', 'resourceFieldRef: {containerName: c, resource: limits.cpu}'],
    ['asked', 'resourceFieldRef: {containerName: c, resource: requests.cpu, divisor: 1m}'],
  ].map(([path, source]) => `{path: ${path}, ${source}}`);
  t.deepEqual(
    filesOf(
      `downwardAPI: {items: [${items.join(', ')}]}`,
      sources,
      '{name: web, labels: {b: "2", a: "x\\ty"}, annotations: {n: note}}',
    ),
    {
      'labels 644': 'a="x\\ty"\nb="2"',
      'one 644': 'note',
      'name 644': 'web',
      'memory 644': '64',
      'cpu 644': '4',
      'asked 644': '100',
    },
  );
});

test('what is missing is an error with its name, unless it is optional', (t) => {
  const missing = {code: 'SUBROOT_OBJECT_MISSING'};
  t.throws(() => filesOf('configMap: {name: none}'), {
    ...missing,
    message: /configmap "none" not found: volume v refers to ConfigMap default\/none/,
  });
  t.throws(() => filesOf('projected: {sources: [{secret: {name: none}}]}'), {
    ...missing,
    message: /sources\[0\]\.secret/,
  });
  t.throws(() => filesOf('configMap: {name: settings, items: [{key: z, path: z}]}'), {
    code: 'SUBROOT_OBJECT_KEY_MISSING',
    message: /couldn't find key z in ConfigMap default\/settings.*it has a, b/,
  });
  t.deepEqual(filesOf('configMap: {name: none, optional: true}'), {});
  t.deepEqual(filesOf('configMap: {name: settings, optional: true, items: [{key: z, path: z}, {key: a, path: yy}]}'), {
    'yy 644': 'A',
  });
  const other = {...sources, objects: ApiObjects.none};
  t.throws(() => filesOf('secret: {secretName: keys}', other), missing);
});

test('paths that cannot be there together are refused', (t) => {
  const two = (a: string, b: string) =>
    filesOf(`configMap: {name: settings, items: [{key: a, path: ${a}}, {key: b, path: ${b}}]}`);
  t.throws(() => two('x', 'x/y'), {
    code: 'SUBROOT_VOLUME_FILES',
    message: /x\/y of volume v cannot be there, since x is a file/,
  });
  t.throws(() => two('x', 'y'.repeat(256)), {code: 'SUBROOT_VOLUME_FILES', message: /a name longer than 255 bytes/});
  t.throws(() => two('x', '../y'), {code: 'SUBROOT_VOLUME_FILES', message: /no path inside of the volume/});
  t.throws(() => two('x', './'), {code: 'SUBROOT_VOLUME_FILES'});
});

test('a label is quoted as Go quotes it', (t) => {
  t.is(quoted('a"b\\c\n\u0000\u007f\u00a0é😀\u200b'), '"a\\"b\\\\c\\n\\x00\\x7f\\u00a0é😀\\u200b"');
});

test('whatever paths a volume names, its files are inside of it or it is refused', (t) => {
  const path = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom('..', '.', '', 'a', 'b', '..data', '...'), {maxLength: 5}).map((parts) => parts.join('/')),
  );
  fc.assert(
    fc.property(fc.array(fc.record({key: fc.constantFrom('a', 'b'), path}), {maxLength: 4}), (items) => {
      const dir = newRoot(t);
      const pod = {...withVolume('configMap: {name: settings}')};
      const [volume] = pod.spec.volumes;
      if (!volume || !('sources' in volume)) throw new Error('no volume');
      try {
        const files = payloadOf(
          pod,
          {...volume, sources: [{kind: 'configMap', name: 'settings', items, optional: false}]},
          sources,
        );
        mkdirSync(join(dir, 'v'));
        writeAtomically(join(dir, 'v'), files);
        for (const file of files)
          t.is(readFileSync(join(dir, 'v', file.path), 'utf8'), Buffer.from(file.bytes).toString('utf8'));
      } catch (error) {
        if (!(error instanceof SubrootError)) throw error;
        t.is(error.code, 'SUBROOT_VOLUME_FILES');
      }
      t.deepEqual(
        readdirSync(dir).filter((name) => name !== 'v'),
        [],
      );
    }),
    {numRuns: 150},
  );
});

test('files are laid out as the kubelet lays them out', (t) => {
  const dir = newRoot(t);
  const bytes = Buffer.from('x');
  writeAtomically(
    dir,
    [
      {path: 'a', bytes, mode: 0o400},
      {path: 'd/e/f', bytes, mode: 0o666},
    ],
    new Date('2026-11-27T18:01:43.9Z'),
  );
  const data = readlinkSync(join(dir, '..data'));
  t.regex(data, /^\.\.2026_11_27_18_01_43\.\d+$/);
  t.deepEqual(readdirSync(dir).sort(), [data, '..data', 'a', 'd'].sort());
  t.is(readlinkSync(join(dir, 'd')), '..data/d');
  const mode = (path: string) => (lstatSync(join(dir, data, path)).mode & 0o7777).toString(8);
  t.deepEqual(['.', 'a', 'd', 'd/e', 'd/e/f'].map(mode), ['755', '400', '755', '755', '666']);
});

// ── the machine

async function made(t: ExecutionContext, pod: Pod, podDir = newRoot(t)) {
  const plan = await planVolumes(pod, podDir, {sources, host: localVolumeHost, volumeIds: 'idmap'});
  const undo: (() => void)[] = [];
  const isNew = plan.hasFolders && claimVolumes(podDir);
  const sourceOf = await makeVolumes(pod, plan, {
    host: localVolumeHost,
    block: {hostId: 65_536, size: 65_536},
    environmentOf: () => new Map([['NAME', 'value']]),
    onMade: (_, takeBack) => undo.push(takeBack),
  });
  const [mount] = pod.spec.containers[0]?.volumeMounts ?? [];
  if (!mount) throw new Error('no mount');
  return {...sourceOf(mount), podDir, undo, isNew};
}

test("an emptyDir is a folder that everyone may write to, below the pod's own", async (t) => {
  const {hostPath, podDir, shifted, readOnly} = await made(t, withVolume('emptyDir: {}'));
  t.is(hostPath, join(podDir, 'volumes', 'kubernetes.io~empty-dir', 'v'));
  t.is(statSync(hostPath).mode & 0o7777, 0o777);
  t.deepEqual({shifted, readOnly}, {shifted: true, readOnly: false});
  await removeVolumes(podDir, localVolumeHost);
  t.false(existsSync(podDir));
});

test('a volume from the API is read-only whatever its mount says, in the folder that the kubelet has for it', async (t) => {
  for (const [kind, field] of [
    ['configMap', 'configMap: {name: settings}'],
    ['secret', 'secret: {secretName: keys}'],
    ['downwardAPI', 'downwardAPI: {items: []}'],
    ['projected', 'projected: {sources: []}'],
  ] as const) {
    const {hostPath, podDir, readOnly} = await made(t, withVolume(field));
    t.is(hostPath, volumePath(podDir, kind, 'v'));
    t.true(readOnly);
    t.true(existsSync(join(hostPath, '..data')));
  }
});

test('a second attempt of a pod keeps what is in its volumes', async (t) => {
  const dir = newRoot(t);
  const pod = withVolume('emptyDir: {}');
  const first = await made(t, pod, dir);
  writeFileSync(join(first.hostPath, 'kept'), 'x');
  const second = await made(t, pod, dir);
  t.deepEqual([first.isNew, second.isNew, second.hostPath], [true, false, first.hostPath]);
  t.is(readFileSync(join(second.hostPath, 'kept'), 'utf8'), 'x');
  const map = withVolume('configMap: {name: settings}');
  const {hostPath} = await made(t, map, dir);
  const before = readdirSync(hostPath);
  await made(t, map, dir);
  t.deepEqual(readdirSync(hostPath), before);
});

test('hostPath types are checked, and made where the type says so', async (t) => {
  const dir = newRoot(t);
  writeFileSync(join(dir, 'file'), '');
  const check = (name: string, type: string) =>
    made(t, withVolume(`hostPath: {path: ${join(dir, name)}, type: ${type}}`));
  const {hostPath, undo} = await check('new/dir', 'DirectoryOrCreate');
  t.is(hostPath, join(dir, 'new/dir'));
  t.is(statSync(hostPath).mode & 0o7777, 0o755);
  for (const takeBack of undo) takeBack();
  t.false(existsSync(join(dir, 'new')), 'taken back, with the folders above');
  const kept = await check('new/dir', 'DirectoryOrCreate');
  writeFileSync(join(kept.hostPath, 'mine'), '');
  for (const takeBack of kept.undo) takeBack();
  t.true(existsSync(join(kept.hostPath, 'mine')), 'but for what somebody uses by now');
  await check('newfile', 'FileOrCreate');
  t.is(statSync(join(dir, 'newfile')).mode & 0o7777, 0o644);
  t.is((await check('file', '""')).hostPath, join(dir, 'file'));
  for (const [name, type, why] of [
    ['missing', 'Directory', /volume v: .*\/missing does not exist/],
    ['missing', '""', /volume v: .*\/missing does not exist/],
    ['file', 'Directory', /is not a directory/],
    ['file', 'DirectoryOrCreate', /is not a directory/],
    ['new', 'File', /is not a file/],
    ['file', 'Socket', /is not a socket file/],
    ['file', 'CharDevice', /is not a character device/],
    ['file', 'BlockDevice', /is not a block device/],
    ['no/way', 'FileOrCreate', /cannot be created: there is no/],
    ['file/below', 'DirectoryOrCreate', /cannot be (created|looked at)/],
  ] as const)
    await t.throwsAsync(check(name, type), {code: 'SUBROOT_VOLUME_HOST_PATH', message: why}, `${name} ${type}`);
  t.is((await made(t, withVolume('hostPath: {path: /dev/null, type: CharDevice}'))).hostPath, '/dev/null');
});

test('without a machine’s help a subPath is looked at before it is used', async (t) => {
  const dir = newRoot(t);
  const data = join(dir, 'data');
  mkdirSync(join(data, 'real'), {recursive: true});
  symlinkSync('real', join(data, 'inside'));
  symlinkSync('/etc', join(data, 'outside'));
  symlinkSync('..', join(data, 'up'));
  const sub = async (field: string) =>
    (await made(t, withVolume(`hostPath: {path: ${data}}`, `mountPath: /v, ${field}`))).hostPath;
  t.is(await sub('subPath: a/b'), join(data, 'a', 'b'));
  t.is(await sub('subPath: inside/x'), join(data, 'real', 'x'));
  t.is(await sub('subPathExpr: "of/$(NAME)"'), join(data, 'of', 'value'));
  t.is(await sub('subPathExpr: "$$(NAME)"'), join(data, '$(NAME)'));
  const code = 'SUBROOT_VOLUME_SUB_PATH';
  await t.throwsAsync(sub('subPath: outside'), {code, message: /leads out of the volume, to \/etc/});
  await t.throwsAsync(sub('subPath: up/data/real'), {code, message: /leads out of the volume/});
  await t.throwsAsync(sub('subPathExpr: $(NONE)'), {code, message: /asks for the variable NONE/});
  t.false(existsSync('/etc/real'));
  t.throws(
    () =>
      parseManifests(
        '{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {volumes: [{name: v}], containers: [{name: c, image: x, volumeMounts: [{name: v, mountPath: /v, subPath: a/../../x}]}]}}',
        {file: 'x'},
      ),
    {
      code: 'SUBROOT_POD_INVALID',
      message: /must not contain '\.\.'/,
    },
  );
});

test('a machine without mounts refuses a memory volume, and nothing is left of the file system’s answer', async (t) => {
  await t.throwsAsync(made(t, withVolume('emptyDir: {medium: Memory}')), {code: 'SUBROOT_VOLUME_MEMORY'});
  const refusing = {...localVolumeHost, whyNotIdmapped: async () => 'because'};
  const dir = newRoot(t);
  const pod = withVolume(`hostPath: {path: ${dir}/made, type: DirectoryOrCreate}`);
  const plan = (volumeIds: 'idmap' | 'nobody') =>
    planVolumes(pod, join(dir, 'pod'), {sources, host: refusing, volumeIds});
  await t.throwsAsync(plan('idmap'), {
    code: 'SUBROOT_VOLUME_NO_IDMAP',
    message: /volume v: .*\/made cannot have shifted ids: because/,
  });
  await t.notThrowsAsync(plan('nobody'));
  t.deepEqual(readdirSync(dir), []);
});

// ── the API's words

const complaints = (pod: Pod) => validatePod(pod).map(({text}) => text);
for (const [what, volume, mount, expected] of [
  ['a volume without the name of its object', 'configMap: {}', '', 'spec.volumes[0].configMap.name: Required value'],
  ['a secret without its name', 'secret: {}', '', 'spec.volumes[0].secret.secretName: Required value'],
  [
    'a mode of four bits too many',
    'configMap: {name: a, defaultMode: 01000}',
    '',
    'spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive',
  ],
  [
    'a mode of an item',
    'secret: {secretName: a, items: [{key: k, path: p, mode: -1}]}',
    '',
    'spec.volumes[0].secret.items[0].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive',
  ],
  [
    'an item without key and path',
    'configMap: {name: a, items: [{}]}',
    '',
    'spec.volumes[0].configMap.items[0].key: Required value, spec.volumes[0].configMap.items[0].path: Required value',
  ],
  [
    'a full path',
    'configMap: {name: a, items: [{key: k, path: /p}]}',
    '',
    'spec.volumes[0].configMap.items[0].path: Invalid value: "/p": must be a relative path',
  ],
  [
    'a path up',
    'configMap: {name: a, items: [{key: k, path: a/../p}]}',
    '',
    'spec.volumes[0].configMap.items[0].path: Invalid value: "a/../p": must not contain \'..\'',
  ],
  [
    "a path of the kubelet's own",
    'configMap: {name: a, items: [{key: k, path: ..data}]}',
    '',
    'spec.volumes[0].configMap.items[0].path: Invalid value: "..data": must not start with \'..\'',
  ],
  [
    'a path of two sources',
    'projected: {sources: [{configMap: {name: a, items: [{key: k, path: p}]}}, {secret: {name: b, items: [{key: k, path: p}]}}]}',
    '',
    'spec.volumes[0].projected: Invalid value: "b": conflicting duplicate paths',
  ],
  [
    'a file without a source',
    'downwardAPI: {items: [{path: p}]}',
    '',
    'spec.volumes[0].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required',
  ],
  [
    'a field that files cannot have',
    'downwardAPI: {items: [{path: p, fieldRef: {fieldPath: status.podIP}}]}',
    '',
    'spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
  ],
  [
    'a resource of no container',
    'downwardAPI: {items: [{path: p, resourceFieldRef: {resource: limits.cpu}}]}',
    '',
    'spec.volumes[0].downwardAPI.items[0].resourceFieldRef.containerName: Required value',
  ],
  [
    'a negative limit',
    'emptyDir: {sizeLimit: -1}',
    '',
    'spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity',
  ],
  [
    'a path up of the host',
    'hostPath: {path: /a/../b}',
    '',
    'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
  ],
  [
    'two kinds of subPath',
    'emptyDir: {}',
    'subPath: a, subPathExpr: b',
    'spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive',
  ],
  [
    'an unknown propagation',
    'emptyDir: {}',
    'mountPropagation: Both',
    'spec.containers[0].volumeMounts[0].mountPropagation: Unsupported value: "Both": supported values: "Bidirectional", "HostToContainer", "None"',
  ],
  [
    'Bidirectional without privilege',
    'emptyDir: {}',
    'mountPropagation: Bidirectional',
    'spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
  ],
  [
    'recursiveReadOnly of a writable mount',
    'emptyDir: {}',
    'recursiveReadOnly: Enabled',
    'spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: may only be specified when readOnly is true',
  ],
  [
    'recursiveReadOnly that hears of mounts',
    'emptyDir: {}',
    'recursiveReadOnly: IfPossible, readOnly: true, mountPropagation: HostToContainer',
    'spec.containers[0].volumeMounts[0].recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified',
  ],
  [
    'an unknown recursiveReadOnly',
    'emptyDir: {}',
    'recursiveReadOnly: Yes please',
    'spec.containers[0].volumeMounts[0].recursiveReadOnly: Unsupported value: "Yes please": supported values: "Disabled", "Enabled", "IfPossible"',
  ],
] as const) {
  test(`${what} is refused in the words of the API server`, (t) => {
    t.is(complaints(withVolume(volume, `mountPath: /v${mount && `, ${mount}`}`)).join(', '), expected);
  });
}

test('fsGroup is held to ids and policies', (t) => {
  const of = (context: string) =>
    complaints(withVolume('emptyDir: {}', 'mountPath: /v', `securityContext: {${context}},`));
  t.deepEqual(of('fsGroup: 2000, fsGroupChangePolicy: OnRootMismatch'), []);
  t.deepEqual(of('fsGroup: -1'), [
    'spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive',
  ]);
  t.deepEqual(of('fsGroupChangePolicy: Never'), [
    'spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"',
  ]);
});
