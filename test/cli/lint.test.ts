import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {lintRules, ruleIds} from '../../sim/lint/rules.ts';
import {lintSchema} from '../../src/cli/lint-schema.ts';
import {runCli, startCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

const fine =
  'apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  hostUsers: false\n  containers:\n    - name: web\n      image: nginx\n';
const bad = fine.replace('hostUsers: false', 'hostUsers: false\n  hostPID: true');

async function folderOf(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), {recursive: true});
    writeFileSync(join(path, name), text);
  }
  return path;
}

async function withStdin(text: string, args: readonly string[]) {
  const {child, ended} = startCli(['lint', ...args]);
  child.stdin.end(text);
  return await ended;
}

test('text: place, severity, rule, the line with a caret below what is meant, and the mend', async (t) => {
  const {stdout, exitCode, stderr} = await withStdin(bad, ['-', '--only', 'hostusers-host-namespace']);
  t.is(exitCode, 1);
  t.is(stderr, '');
  t.is(
    stdout,
    [
      'standard input:7:3: error [hostusers-host-namespace]',
      "  hostPID and hostUsers: false exclude each other: the node's process ids belong",
      "  to the node's user namespace, and the API server refuses the pod",
      '  7 |   hostPID: true',
      '    |   ^^^^^^^^^^^^^',
      '  To mend: remove one of the two',
      '',
      '1 error, 0 warnings and 0 notes in 1 file.',
      '',
    ].join('\n'),
  );
});

test('what a file says cannot steer the terminal, and a long line is shown in part', async (t) => {
  const name = `"a${'x'.repeat(300)}\\e[31m"`;
  const {stdout} = await withStdin(
    fine.replace('image: nginx', `image: nginx\n      stdin: true # \u{1b}[31m\n      ${name}: 1`),
    ['-', '--only', 'field-unknown'],
  );
  t.false(stdout.includes('\u{1b}'));
  t.regex(stdout, /11 \| {7}"axxx.*…\n {5}\| +\^+/s);
  for (const line of stdout.split('\n')) if (line.includes('|')) t.true(line.length <= 81, line);
});

test('JSON fits its schema, and tells what the text tells', async (t) => {
  const {stdout, exitCode} = await withStdin(bad, ['-', '-o', 'json']);
  t.is(exitCode, 1);
  const value = JSON.parse(stdout) as {counts: {error: number}; findings: {rule: string; line: number}[]};
  t.deepEqual(findSchemaFaults(lintSchema, value), []);
  t.is(value.counts.error, 1);
  t.like(
    value.findings.find(({rule}) => rule === 'hostusers-host-namespace'),
    {line: 7, column: 3, endColumn: 16, path: 'spec.hostPID', workload: 'Pod default/web'},
  );
});

test('annotations of GitHub: names and messages cannot end a command or begin another', async (t) => {
  const folder = await folderOf(t, {
    'a,b:c%.yaml': `${fine}\n---\nkind: "x::error::\\n::warning::y%0A"\napiVersion: v1\n`,
  });
  const {stdout, exitCode} = await runCli(['lint', folder, '--report', 'github', '--fail-on', 'info']);
  t.is(exitCode, 1);
  const lines = stdout.trimEnd().split('\n');
  for (const line of lines)
    t.regex(
      line,
      /^::(error|warning|notice) file=[^:,]*a%2Cb%3Ac%25\.yaml,line=\d+,endLine=\d+,col=\d+(,endColumn=\d+)?,title=[a-z-]+::[^\r\n]+ \[[a-z-]+\]$/,
    );
  t.true(
    lines.some((line) => line.includes('x::error::%0A::warning::y%250A')),
    stdout,
  );
});

// The parts of SARIF 2.1.0 that are used here, as the specification asks for them (§3.13 to §3.55).
function sarifFaults(log: unknown): string[] {
  const faults: string[] = [];
  const check = (is: boolean, what: string) => {
    if (!is) faults.push(what);
  };
  type Any = Record<string, unknown>;
  const {version, $schema, runs} = log as {version: string; $schema: string; runs: Any[]};
  check(version === '2.1.0', 'version');
  check($schema.includes('sarif-2.1.0'), '$schema');
  for (const run of runs) {
    const driver = (run.tool as Any).driver as Any;
    check(typeof driver.name === 'string' && typeof driver.version === 'string', 'driver');
    check(run.columnKind === 'utf16CodeUnits', 'columnKind');
    const rules = driver.rules as Any[];
    const ids = rules.map(({id}) => id);
    check(new Set(ids).size === ids.length, 'rule ids are unique');
    for (const rule of rules) {
      check(typeof (rule.shortDescription as Any).text === 'string', `rule ${rule.id} text`);
      check(
        ['none', 'note', 'warning', 'error'].includes((rule.defaultConfiguration as Any).level as string),
        `rule ${rule.id} level`,
      );
    }
    const artifacts = run.artifacts as {location: {uri: string}}[];
    for (const result of run.results as Any[]) {
      check(ids[result.ruleIndex as number] === result.ruleId, `result ${result.ruleId} index`);
      check(['none', 'note', 'warning', 'error'].includes(result.level as string), 'level');
      check(typeof (result.message as Any).text === 'string', 'message');
      for (const location of result.locations as Any[]) {
        const {artifactLocation, region} = location.physicalLocation as {
          artifactLocation: {uri: string; index: number};
          region: Record<string, number>;
        };
        check(artifacts[artifactLocation.index]?.location.uri === artifactLocation.uri, 'artifact index');
        check(/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/.test(artifactLocation.uri), `uri ${artifactLocation.uri}`);
        for (const [name, value] of Object.entries(region))
          check(Number.isInteger(value) && value >= 1, `region.${name}`);
        check(
          region.endColumn === undefined ||
            (region.endColumn > (region.startColumn ?? 0) && region.endLine === region.startLine),
          'region end',
        );
      }
    }
  }
  return faults;
}

test('SARIF 2.1.0: rules, results, regions, and paths that are URIs', async (t) => {
  const folder = await folderOf(t, {'a b/ü.yaml': bad, 'broken.yaml': 'a: ['});
  const {stdout, exitCode} = await runCli(['lint', folder, '--report', 'sarif']);
  t.is(exitCode, 1);
  const log = JSON.parse(stdout) as {
    runs: {
      results: {ruleId: string; locations: {physicalLocation: {artifactLocation: {uri: string}; region: object}}[]}[];
      tool: {driver: {rules: {id: string}[]; version: string}};
    }[];
  };
  t.deepEqual(sarifFaults(log), []);
  const [run] = log.runs;
  t.deepEqual(
    run?.tool.driver.rules.map(({id}) => id),
    [...ruleIds],
  );
  const result = run?.results.find(({ruleId}) => ruleId === 'hostusers-host-namespace')?.locations[0]?.physicalLocation;
  t.regex(result?.artifactLocation.uri ?? '', /^file:\/\/.*\/a%20b\/%C3%BC\.yaml$/);
  t.deepEqual(result?.region, {startLine: 7, startColumn: 3, endLine: 7, endColumn: 16});
  const {version} = JSON.parse((await runCli(['version', '-o', 'json'])).stdout) as {version: string};
  t.is(run?.tool.driver.version, version);
});

test('a relative path stays relative in SARIF', async (t) => {
  const {stdout} = await runCli(['lint', './examples/userns-pod.yaml', '--report', 'sarif']);
  const log = JSON.parse(stdout) as {runs: {artifacts: {location: {uri: string}}[]}[]};
  t.is(log.runs[0]?.artifacts[0]?.location.uri, 'examples/userns-pod.yaml');
});

test('exit codes follow --fail-on, --disable and --only', async (t) => {
  const folder = await folderOf(t, {'bad.yaml': bad, 'fine.yaml': fine});
  const file = join(folder, 'bad.yaml');
  const code = async (...args: string[]) => (await runCli(['lint', ...args])).exitCode;
  t.deepEqual(
    await Promise.all([
      code(file),
      code(join(folder, 'fine.yaml')),
      code(join(folder, 'fine.yaml'), '--fail-on', 'info'),
      code(file, '--disable', 'hostusers-host-namespace'),
      code(file, '--only', 'seccomp-missing'),
      code(file, '--only', 'seccomp-missing,hostusers-host-namespace'),
    ]),
    [1, 0, 1, 0, 0, 1],
  );
});

test('words that cannot be meant end with 2 and say what to write', async (t) => {
  const says = async (args: readonly string[], said: RegExp) => {
    const {exitCode, stderr, stdout} = await runCli(['lint', ...args]);
    t.is(exitCode, 2, args.join(' '));
    t.is(stdout, '');
    t.regex(stderr, said);
  };
  const {path: empty, cleanup} = await dir();
  t.teardown(cleanup);
  const file = 'examples/userns-pod.yaml';
  await Promise.all([
    says([], /name files or folders/),
    says([empty], /no \*\.yaml/),
    says(['/nonexistent/x.yaml'], /cannot read .*ENOENT/),
    says([file, '--only', 'hostuser-misspelt'], /did you mean hostusers-misspelt/),
    says(['--explain', 'nothing-at-all'], /--list-rules/),
    says([file, '--kubernetes', '1.99'], /1\.25/),
    says([file, '--runtime', 'docker:1'], /containerd:VERSION/),
    says([file, '--kernel', 'new'], /no version/),
    says([file, '--feature-gates', 'UserNamespaceSupport=true'], /did you mean UserNamespacesSupport/),
    says([file, '--feature-gates', 'UserNamespacesSupport'], /GATE=true/),
    says([file, '--feature-gates', 'UserNamespacesSupport=false'], /locked/),
    says([file, '--ids-per-pod', '1000'], /multiple of 65536/),
    says([file, '--pod-security', 'strict'], /baseline or restricted/),
    says([file, '--report', 'sarif', '-o', 'json'], /two formats/),
    says([file, '--report', 'sarif', '--review'], /-o json/),
  ]);
});

test('folders are opened: manifests by name, not below node_modules, links to files and not to folders', async (t) => {
  const folder = await folderOf(t, {
    'a/x.yaml': bad,
    'a/y.yml': fine,
    'b.json': JSON.stringify({apiVersion: 'v1', kind: 'ConfigMap'}),
    'c.txt': bad,
    'node_modules/z.yaml': bad,
  });
  symlinkSync(join(folder, 'a'), join(folder, 'loop'));
  symlinkSync(join(folder, 'a/y.yml'), join(folder, 'link.yaml'));
  symlinkSync('/nonexistent', join(folder, 'dead.yaml'));
  const {stdout} = await runCli(['lint', folder, folder, '-o', 'json']);
  const {files} = JSON.parse(stdout) as {files: string[]};
  t.deepEqual(
    files,
    ['a/x.yaml', 'a/y.yml', 'b.json', 'link.yaml'].map((name) => join(folder, name)),
  );
});

test('a Helm template is said to be one, at its place, and is an error', async (t) => {
  const {stdout, exitCode} = await withStdin('apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n', [
    '-',
  ]);
  t.is(exitCode, 1);
  t.regex(stdout, /standard input:4:9: error \[template-text\]/);
  t.regex(stdout, /`helm template CHART \| subroot lint -`/);
});

test('subordinate ids: known by name or by --subid, with what stands beside the file', async (t) => {
  const folder = await folderOf(t, {
    subuid: 'anna:100000:65536\notto:200000:65536\n',
    subgid: 'anna:100000:65536\notto:300000:65536\n',
    passwd: 'anna:x:1000:1000::/:/bin/sh\n',
    group: 'many:x:100001:\n',
    ids: 'kubelet:100000:65536\n',
  });
  const rules = async (...args: string[]) => {
    const {stdout} = await runCli(['lint', '-o', 'json', ...args]);
    return (JSON.parse(stdout) as {findings: {file: string; rule: string; line: number}[]}).findings
      .filter(({rule}) => rule !== 'subid-kubelet-pool')
      .map(({file, rule, line}) => `${file.slice(folder.length + 1)}:${line} ${rule}`);
  };
  const [both, one, named, passwd] = await Promise.all([
    rules(join(folder, 'subuid'), join(folder, 'subgid')),
    rules(join(folder, 'subuid')),
    rules(join(folder, 'ids'), '--subid', '--max-pods', '2'),
    rules(join(folder, 'ids'), '--subid', '--passwd', join(folder, 'group')),
  ]);
  t.deepEqual(both, [
    'subuid:2 subid-owner-unknown',
    'subgid:1 subid-covers-account',
    'subgid:2 subid-owner-unknown',
    'subgid:2 subid-files-differ',
  ]);
  t.deepEqual(one, ['subuid:2 subid-owner-unknown', 'subuid:2 subid-files-differ']);
  t.true(named.includes('ids:1 subid-kubelet-range'));
  t.true(passwd.includes('ids:1 subid-covers-account'));
});

test('--review: a verdict per workload, for people and for programs', async (t) => {
  const args = [
    '-',
    '--review',
    '--kubernetes',
    '1.33',
    '--runtime',
    'containerd:2.0',
    '--runc',
    '1.2',
    '--kernel',
    '6.8',
  ];
  const text = `${fine.replace('hostUsers: false', 'hostUsers: true')}---\n${bad.replace('name: web', 'name: agent')}---\n${fine.replace('name: web', 'name: disk').replace('  containers', '  volumes: [{name: x, hostPath: {path: /x}}]\n  containers')}`;
  const [{stdout, exitCode}, json] = await Promise.all([
    withStdin(text, args),
    withStdin(text, [...args, '-o', 'json']),
  ]);
  t.is(exitCode, 1);
  t.regex(stdout, /^WORKLOAD +HOSTUSERS +WITH FALSE +VERDICT +WHY\nPod default\/web +true +honoured +ready/);
  t.regex(stdout, /Pod default\/agent +false +rejected +blocked/);
  t.regex(stdout, /Pod default\/disk +false +honoured +look/);
  t.regex(stdout, /cat \/proc\/self\/uid_map/);
  const value = JSON.parse(json.stdout) as {
    reviews: {outcome: string; steps: {title: string}[]; podSecurity: object}[];
  };
  t.deepEqual(findSchemaFaults(lintSchema, value), []);
  t.deepEqual(
    value.reviews.map(({outcome}) => outcome),
    ['honoured', 'rejected', 'honoured'],
  );
  t.is((await withStdin(fine, args)).exitCode, 0);
  t.is((await withStdin('{{ x }}: [', args)).exitCode, 1);
});

test('the gate of 1.25 to 1.27 has its old name', async (t) => {
  const args = [
    '-',
    '--review',
    '--kubernetes',
    '1.26',
    '--runtime',
    'containerd:1.7',
    '--runc',
    '1.1',
    '--kernel',
    '5.15',
  ];
  t.regex((await withStdin(fine, args)).stdout, /ignored +blocked/);
  t.regex(
    (await withStdin(fine, [...args, '--feature-gates', 'UserNamespacesStatelessPodsSupport=true'])).stdout,
    /honoured +ready/,
  );
});

test('--list-rules and --explain tell every rule', async (t) => {
  const [list, json, explained] = await Promise.all([
    runCli(['lint', '--list-rules']),
    runCli(['lint', '--list-rules', '-o', 'json']),
    runCli(['lint', '--explain', 'hostusers-misspelt']),
  ]);
  for (const id of ruleIds) t.true(list.stdout.includes(id), id);
  t.deepEqual(findSchemaFaults(lintSchema, JSON.parse(json.stdout)), []);
  t.true(
    explained.stdout.includes(lintRules['hostusers-misspelt'].title) && explained.stdout.includes('hostUser: false'),
  );
});

test('the examples of this repository are clean', async (t) => {
  const {exitCode, stdout} = await runCli(['lint', 'examples', '--fail-on', 'warning', '--kubernetes', '1.36']);
  t.is(exitCode, 0, stdout);
  t.regex(stdout, /0 errors, 0 warnings/);
});

test('docs/lint.md is what scripts/lint-doc.mjs makes of the rules', (t) => {
  const project = fileURLToPath(new URL('../..', import.meta.url));
  const made = execFileSync(process.execPath, ['--import=tsx', 'scripts/lint-doc.mjs', '--print'], {
    cwd: project,
    encoding: 'utf8',
  });
  t.is(readFileSync(join(project, 'docs/lint.md'), 'utf8'), made, 'run `node --import=tsx scripts/lint-doc.mjs`');
});
