import {readdirSync, readFileSync} from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import {SubrootError} from '../../../native-free/errors.ts';
import type {LintFinding} from '../../../sim/lint/finding.ts';
import {type LintManifestOptions, lintManifest, reviewManifest} from '../../../sim/lint/lint-manifest.ts';
import {lintRules, ruleIds} from '../../../sim/lint/rules.ts';

const lint = (text: string, options: Partial<LintManifestOptions> = {}) =>
  lintManifest(text, {file: 'a.yaml', ...options});
const places = (findings: readonly LintFinding[], rule: string) =>
  findings
    .filter((finding) => finding.rule === rule)
    .map(({line, column, endColumn, path}) => `${line}:${column}-${endColumn ?? ''} ${path}`);

// ── where pods are

const template = ['hostUsers: false', 'hostPID: true', 'containers:', '  - name: a', '    image: b'];
const kinds: readonly (readonly [kind: string, above: readonly string[], path: string])[] = [
  ['Pod', ['spec:'], 'spec'],
  ['PodTemplate', ['template:', '  spec:'], 'template.spec'],
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job'].map(
    (kind) => [kind, ['spec:', '  template:', '    spec:'], 'spec.template.spec'] as const,
  ),
  [
    'CronJob',
    ['spec:', '  jobTemplate:', '    spec:', '      template:', '        spec:'],
    'spec.jobTemplate.spec.template.spec',
  ],
];

function documentOf(kind: string, above: readonly string[]): string[] {
  const indent = ' '.repeat((above.at(-1)?.search(/\S/) ?? 0) + 2);
  return [
    'apiVersion: v1',
    `kind: ${kind}`,
    'metadata: {name: web}',
    ...above,
    ...template.map((line) => indent + line),
  ];
}

for (const [kind, above, path] of kinds) {
  test(`the pod of a ${kind} is found, with its path and place`, (t) => {
    const lines = documentOf(kind, above);
    const findings = lint(`${lines.join('\n')}\n`);
    const line = lines.findIndex((each) => each.includes('hostPID')) + 1;
    const column = (lines[line - 1]?.indexOf('hostPID') ?? 0) + 1;
    t.deepEqual(places(findings, 'hostusers-host-namespace'), [`${line}:${column}-${column + 13} ${path}.hostPID`]);
    t.is(findings.find(({rule}) => rule === 'hostusers-host-namespace')?.workload, `${kind} default/web`);
    t.is(reviewManifest(lines.join('\n'), {file: 'a.yaml'})[0]?.outcome, 'rejected');
  });

  test(`a ${kind} in a List is found, with the path of its item`, (t) => {
    const item = documentOf(kind, above).map((line, index) => (index === 0 ? `  - ${line}` : `    ${line}`));
    const lines = ['apiVersion: v1', 'kind: List', 'items:', '  - {apiVersion: v1, kind: ConfigMap}', ...item];
    const line = lines.findIndex((each) => each.includes('hostPID')) + 1;
    const found = lint(lines.join('\n')).filter(({rule}) => rule === 'hostusers-host-namespace');
    t.deepEqual(
      found.map((finding) => [finding.line, finding.path]),
      [[line, `items[1].${path}.hostPID`]],
    );
  });
}

test('items of a DeploymentList need no kind of their own', (t) => {
  const text = 'apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- spec: {template: {spec: {hostUser: false}}}\n';
  t.is(places(lint(text), 'hostusers-misspelt').length, 1);
});

test('claims of a StatefulSet are volumes of its pods', (t) => {
  const text = JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {name: 'db'},
    spec: {
      volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {storageClassName: 'shared'}}],
      template: {
        spec: {
          hostUsers: false,
          containers: [{name: 'db', image: 'db', volumeMounts: [{name: 'data', mountPath: '/data'}]}],
        },
      },
    },
  });
  t.deepEqual(places(lint(text), 'api-invalid'), []);
  const storage = JSON.stringify({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: {name: 'shared'},
    provisioner: 'efs.csi.aws.com',
  });
  const found = lint(`${text}\n---\n${storage}\n`).filter(({rule}) => rule === 'volume-without-idmap');
  t.regex(found[0]?.message ?? '', /class shared, driver efs\.csi\.aws\.com.* NFS/);
});

test('a claim is followed to its volume', (t) => {
  const pod =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostUsers: false\n  volumes:\n  - name: d\n    persistentVolumeClaim: {claimName: c}\n  containers: [{name: a, image: b}]\n';
  const claim = '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec: {volumeName: v}\n';
  const volume = (source: string) =>
    `---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec: {${source}}\n`;
  t.is(places(lint(pod + claim + volume('nfs: {server: s, path: /p}')), 'volume-without-idmap').length, 1);
  t.is(places(lint(pod + claim + volume('csi: {driver: ebs.csi.aws.com}')), 'volume-unknown-file-system').length, 0);
  t.is(places(lint(pod), 'volume-unknown-file-system').length, 1);
});

// ── comments

const node = (comment: string, above = '') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostUsers: false\n${above}  hostPID: true${comment}\n  containers:\n    - name: a\n      image: b\n`;
const fires = (text: string) => places(lint(text), 'hostusers-host-namespace').length > 0;

test('a comment leaves a finding out on its line, on the next, or in the file', (t) => {
  t.true(fires(node('')));
  t.false(fires(node(' # subroot-lint: disable=hostusers-host-namespace')));
  t.false(fires(node(' # subroot-lint: disable=api-invalid, hostusers-host-namespace because we must')));
  t.false(fires(node(' # subroot-lint: disable=all')));
  t.false(fires(node('', '  # subroot-lint: disable=hostusers-host-namespace\n\n  # and why\n')));
  t.false(fires(node('', '  # subroot-lint: disable-file=hostusers-host-namespace\n')));
  t.false(fires(`# subroot-lint: disable-file=hostusers-host-namespace\n${node('')}`));
});

test('a comment for another rule, another line or inside a text leaves nothing out', (t) => {
  t.true(fires(node(' # subroot-lint: disable=privileged')));
  t.true(
    fires(node('').replace('hostUsers: false', 'hostUsers: false # subroot-lint: disable=hostusers-host-namespace')),
  );
  t.true(fires(node('', '  nodeName: "# subroot-lint: disable-file=all"\n')));
  t.true(fires(node('', '  nodeName: |\n    # subroot-lint: disable-file=all\n')));
});

test('a comment above a block is for all that is indented below it, and no further', (t) => {
  const text = (before: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostUsers: false\n  volumes:\n${before}    - name: x\n      hostPath:\n        path: /x\n    - name: y\n      hostPath:\n        path: /y\n  containers: [{name: a, image: b}]\n`;
  t.is(places(lint(text('')), 'hostpath-not-isolated').length, 2);
  t.deepEqual(places(lint(text('    # subroot-lint: disable=hostpath-not-isolated\n')), 'hostpath-not-isolated'), [
    '13:9-17 spec.volumes[1].hostPath',
  ]);
});

test('a comment that means nothing is told, and cannot silence that', (t) => {
  const messages = lint(node(' # subroot-lint: disable=all,hostuser-host-namespace')).filter(
    ({rule}) => rule === 'lint-directive',
  );
  t.is(messages[0]?.mend, 'write hostusers-host-namespace');
  t.is(places(lint(node(' # subroot-lint: ignore')), 'lint-directive').length, 1);
});

// ── versions

test('nothing is said of versions when none is given', (t) => {
  t.deepEqual(places(lint(node('').replace('  hostPID: true\n', '')), 'hostusers-ignored'), []);
});

test('what is ignored before is not judged by what comes behind', (t) => {
  const text = node('').replace('  hostPID: true\n', '');
  const rules = lint(text, {cluster: {kubernetes: '1.29', runtime: 'containerd:1.7', kernel: '5.10'}}).map(
    ({rule}) => rule,
  );
  t.true(rules.includes('hostusers-ignored'));
  t.false(rules.includes('hostusers-pending'));
});

test('hostNetwork goes with hostUsers: false where its gate is on', (t) => {
  const text = node('').replace('hostPID', 'hostNetwork');
  t.true(fires(text));
  const cluster = {kubernetes: '1.36', gates: {UserNamespacesHostNetworkSupport: true}};
  t.deepEqual(places(lint(text, {cluster}), 'hostusers-host-namespace'), []);
  t.is(reviewManifest(text, {file: 'a', cluster})[0]?.outcome, 'honoured');
});

// ── whatever the text

test('the examples of this repository have nothing worse than notes', (t) => {
  const folder = new URL('../../../examples/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  t.true(files.length >= 3);
  for (const file of files) {
    const findings = lint(readFileSync(new URL(file, folder), 'utf8'), {
      cluster: {kubernetes: '1.36', runtime: 'containerd:2.1', kernel: '6.8', runc: '1.3'},
    });
    t.deepEqual(
      findings.filter(({severity}) => severity !== 'info'),
      [],
      file,
    );
  }
});

const options: Partial<LintManifestOptions>[] = [
  {},
  {cluster: {kubernetes: '1.24'}},
  {cluster: {kubernetes: '1.27', runtime: 'containerd:1.7', kernel: '5.15'}, podSecurity: {level: 'restricted'}},
  {cluster: {kernel: '6.1', crun: '1.8'}, podSecurity: {level: 'baseline', minor: 30}},
];

function holdsPlaces(
  t: {true(value: boolean, message?: string): void},
  text: string,
  given: Partial<LintManifestOptions>,
): void {
  const lines = text.split('\n');
  for (const {line, column, endColumn, rule} of lint(text, given)) {
    const width = lines[line - 1]?.length ?? -1;
    t.true(
      line >= 1 && line <= lines.length && column >= 1 && column <= width + 1,
      `${rule} ${line}:${column} in ${JSON.stringify(text)}`,
    );
    if (endColumn !== undefined)
      t.true(
        endColumn > column && endColumn <= width + 1,
        `${rule} ${line}:${column}-${endColumn} in ${JSON.stringify(text)}`,
      );
  }
  for (const review of reviewManifest(text, {file: 'a.yaml', ...given})) {
    t.true(review.line >= 1 && review.line <= lines.length);
    t.true(review.steps.length > 4 && review.why !== '');
    t.true((review.verdict === 'blocked') === (review.outcome !== 'honoured'));
  }
}

/** Mappings with the names that rules look at, and values that they do not expect. */
const names = [
  ...[
    'apiVersion',
    'kind',
    'metadata',
    'name',
    'spec',
    'template',
    'jobTemplate',
    'containers',
    'initContainers',
    'volumes',
  ],
  ...[
    'hostUsers',
    'hostUser',
    'hostPID',
    'hostNetwork',
    'securityContext',
    'capabilities',
    'add',
    'drop',
    'privileged',
    'procMount',
  ],
  ...[
    'runAsUser',
    'supplementalGroups',
    'seccompProfile',
    'type',
    'hostPath',
    'path',
    'nfs',
    'csi',
    'driver',
    'persistentVolumeClaim',
  ],
  ...[
    'claimName',
    'annotations',
    'items',
    'volumeDevices',
    'volumeMounts',
    'resources',
    'limits',
    'os',
    'emptyDir',
    'medium',
    'ports',
  ],
];
const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    70000,
    -1,
    1.5,
    '',
    'Pod',
    'List',
    'Deployment',
    'CronJob',
    'StatefulSet',
    'v1',
    'windows',
    'Unmasked',
    'ALL',
    'NET_ADMIN',
    'SYS_TIME',
    'Memory',
    'a\nb',
    '# x',
  ),
  fc.string({maxLength: 5}),
);
const {value} = fc.letrec<{value: unknown}>((tie) => ({
  value: fc.oneof(
    {depthSize: 'medium', withCrossShrink: true},
    scalar,
    fc.array(tie('value'), {maxLength: 3}),
    fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string({maxLength: 4})), tie('value'), {maxKeys: 6}),
  ),
}));
const spec = fc.dictionary(fc.constantFrom(...names.slice(7)), value, {maxKeys: 8});

test('whatever is written in a pod, the linter answers, and every place is inside the file', (t) => {
  fc.assert(
    fc.property(
      spec,
      value,
      fc.constantFrom('Pod', 'Deployment', 'StatefulSet', 'List'),
      fc.constantFrom(0, 2),
      fc.constantFrom(...options),
      (pod, container, kind, indent, given) => {
        const inner = {
          hostUsers: false,
          ...pod,
          containers: [container, {name: 'a', image: 'b', ...(typeof container === 'object' ? container : {})}],
        };
        const object = {
          apiVersion: 'v1',
          kind,
          metadata: {name: 'x'},
          spec: kind === 'Pod' ? inner : {template: {spec: inner}},
          items: [inner],
        };
        holdsPlaces(t, JSON.stringify(object, null, indent), given);
      },
    ),
    {numRuns: 300},
  );
});

const pieces = fc.constantFrom(
  ...[
    'apiVersion: v1\n',
    'kind: Pod\n',
    'spec:\n',
    '  hostUsers: false\n',
    '  containers:\n',
    '  - name: a\n',
    '    image: b\n',
    '---\n',
    '&x ',
    '*x',
    '<<: *x\n',
    '{',
    '}',
    '[',
    ']',
    ': ',
    ',',
    '|\n',
    '>-\n',
    '"',
    "'",
    '\n',
    '\t',
    '\r\n',
  ],
  ...[
    '# subroot-lint: disable=all\n',
    '# subroot-lint: x',
    '{{ .Values.x }}',
    'hostUser: false\n',
    '\u{feff}',
    '😀',
    '!!binary x',
    '%YAML 1.1\n',
    '? a\n',
  ],
);

test('whatever the text, the linter answers, and every place is inside the file', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(pieces, fc.string({maxLength: 3})), {maxLength: 25}),
      fc.constantFrom(...options),
      (parts, given) => {
        holdsPlaces(t, parts.join(''), given);
      },
    ),
    {numRuns: 600},
  );
});

test('broken examples of every rule are answered too', (t) => {
  for (const id of ruleIds) {
    const {text} = lintRules[id].bad;
    for (let cut = 0; cut < text.length; cut += 7) holdsPlaces(t, text.slice(0, cut) + text.slice(cut + 3), {});
  }
});

test('only words about the cluster are thrown', (t) => {
  t.throws(() => lint('', {cluster: {runtime: 'x'}}), {instanceOf: SubrootError, code: 'SUBROOT_USAGE'});
  t.is(lint('a: [').length, 1);
  t.is(lint('x'.repeat(1_100_000))[0]?.rule, 'yaml-syntax');
  t.is(lint('['.repeat(1000))[0]?.rule, 'yaml-syntax');
});
