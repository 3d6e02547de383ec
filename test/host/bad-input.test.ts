import {execFileSync} from 'node:child_process';
import {chmodSync, copyFileSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {createNode} from '../../src/index.ts';
import {ChildNode, type ChildOptions, type Ran, runCli} from '../helpers/child-node.ts';
import {fakeUser, inOwnMounts, inUserNamespace} from '../helpers/fake-user.ts';
import {contentsOf, hostTest, until} from '../helpers/host-test.ts';
import {exitOf, sh, sharedFolder} from '../helpers/in-pod.ts';
import {type Lab, makeLab} from '../helpers/lab.ts';

const rootTest = hostTest('root', 'userns', 'perl');
const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

interface Expected {
  readonly code: string;
  readonly layer: string;
  /** The value that is wrong. */
  readonly value: RegExp;
  /** What to do. */
  readonly mend: RegExp;
}

/** Asserts code, layer, value and mend of what a child threw, and that the lab, the mounts and the cgroups are as before. */
async function refused(t: ExecutionContext, lab: Lab, call: () => Promise<unknown>, expected: Expected): Promise<void> {
  const before = lab.snapshot();
  const error = await t.throwsAsync(call, {code: expected.code}, expected.code);
  const {layer, mend} = error as unknown as {layer: string; mend: string};
  t.is(layer, expected.layer);
  t.regex(error?.message ?? '', expected.value);
  t.regex(mend, expected.mend);
  t.true(error?.message.includes(`To mend: ${mend} [${expected.code}]`));
  await lab.untilNothingIsNew(before);
}

/** The same for the CLI: its exit code, and the error on standard error as text. */
async function cliRefuses(
  t: ExecutionContext,
  lab: Lab,
  args: readonly string[],
  expected: Expected & {readonly exitCode: number},
  how: ChildOptions & {input?: string} = {},
): Promise<Ran> {
  const before = lab.snapshot();
  const ran = await runCli(['--root', lab.root, ...args], {...lab.child, ...how});
  t.is(ran.exitCode, expected.exitCode, ran.stderr);
  t.true(ran.stderr.includes(`[${expected.code}]`), ran.stderr);
  t.regex(ran.stderr, expected.value);
  t.regex(/To mend: .*/s.exec(ran.stderr)?.[0] ?? '', expected.mend);
  const json = await runCli(['--root', lab.root, ...args, '-o', 'json'], {...lab.child, ...how});
  t.is(json.exitCode, expected.exitCode, json.stderr);
  const {error} = JSON.parse(json.stderr) as {error: {code: string; layer: string}};
  t.deepEqual([error.code, error.layer], [expected.code, expected.layer]);
  await lab.untilNothingIsNew(before);
  return ran;
}

function manifestOf(spec: string): string {
  return `apiVersion: v1\nkind: Pod\nmetadata:\n  name: bad\nspec:\n${spec.replace(/^/gm, '  ')}\n`;
}

const container = 'containers:\n- name: main\n  image: host\n  command: [sleep, infinity]';

// ── manifests

rootTest.serial('a manifest that is no YAML is refused with its line', async (t) => {
  const lab = await makeLab(t);
  await cliRefuses(
    t,
    lab,
    ['run', '-'],
    {
      exitCode: 2,
      code: 'SUBROOT_MANIFEST_SYNTAX',
      layer: 'manifest',
      value: /standard input:\d+:\d+: not valid YAML or JSON/,
      mend: /correct that line/,
    },
    {input: 'apiVersion: v1\nkind: Pod\nspec: {containers: [\n'},
  );
});

rootTest.serial('a manifest that is not there is refused with its name', async (t) => {
  const lab = await makeLab(t);
  await cliRefuses(t, lab, ['run', '/no/such/pod.yaml'], {
    exitCode: 2,
    code: 'SUBROOT_MANIFEST_UNREADABLE',
    layer: 'manifest',
    value: /\/no\/such\/pod\.yaml \(ENOENT\)/,
    mend: /name a file that is there/,
  });
});

rootTest.serial('a pod that no Kubernetes would take is refused with the rule', async (t) => {
  const lab = await makeLab(t);
  await cliRefuses(
    t,
    lab,
    ['run', '-'],
    {
      exitCode: 2,
      code: 'SUBROOT_POD_INVALID',
      layer: 'manifest',
      value: /The Pod "bad" is invalid: spec\.HostPID: Forbidden/,
      mend: /correct the fields named/,
    },
    {input: manifestOf(`hostUsers: false\nhostPID: true\n${container}`)},
  );
});

rootTest.serial('an image that is not here is refused with what to say instead', async (t) => {
  const lab = await makeLab(t);
  const refused = (image: string, more: string, expected: Parameters<typeof cliRefuses>[3]) =>
    cliRefuses(t, lab, ['run', '-'], expected, {
      input: manifestOf(`hostUsers: false\n${container.replace('image: host', `image: ${image}${more}`)}`),
    });
  await refused('nginx:1.27', '\n  imagePullPolicy: Never', {
    exitCode: 2,
    code: 'SUBROOT_IMAGE_NEVER_PULL',
    layer: 'image',
    value: /container image nginx:1\.27 is not present with pull policy of Never/,
    mend: /`subroot pull nginx:1\.27`/,
  });
  // Nothing listens there.
  await refused('127.0.0.1:1/app:1', '', {
    exitCode: 3,
    code: 'SUBROOT_REGISTRY_UNREACHABLE',
    layer: 'registry',
    value: /cannot reach 127\.0\.0\.1:1 for 127\.0\.0\.1:1\/app:1: nothing listens there \(ECONNREFUSED\)/,
    mend: /without a network use what is here: .*`subroot import`, `--image 127\.0\.0\.1:1\/app:1=host`/,
  });
  await refused('"not an image"', '', {
    exitCode: 2,
    code: 'SUBROOT_IMAGE_NAME_INVALID',
    layer: 'image',
    value: /not an image is no name of an image/,
    mend: /docker\.io\/library\/debian:12/,
  });
});

// ── pools and names

rootTest.serial('a pool without room says how many blocks there are and who has them', async (t) => {
  const lab = await makeLab(t, {blocks: 2});
  const child = await ChildNode.open(t, lab.options, lab.child);
  await child.run({name: 'first'});
  await child.run({name: 'second'});
  await refused(t, lab, () => child.run({name: 'third'}), {
    code: 'SUBROOT_POOL_EXHAUSTED',
    layer: 'allocator',
    value: /2 of 2 blocks are in use, held by .*(first|[0-9a-f]{8}-)/,
    mend: /give a larger pool \(65536 ids per pod\)/,
  });
  await child.call('remove', 'first');
  await child.run({name: 'third'});
  await child.kill();
});

rootTest.serial('a pod name that is taken is refused with who has it', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, lab.options, lab.child);
  const {id} = await child.run({name: 'web'});
  await refused(t, lab, () => child.run({name: 'web'}), {
    code: 'SUBROOT_POD_NAME_TAKEN',
    layer: 'container',
    value: new RegExp(`there is a pod web already \\(sandbox ${id.slice(0, 13)}\\)`),
    mend: /subroot rm web/,
  });
  await child.kill();
});

// ── the CLI and commands

rootTest.serial('a program that cannot be started ends `run` with 127 or 126', async (t) => {
  const lab = await makeLab(t);
  const folder = await sharedFolder(t);
  writeFileSync(join(folder, 'plain'), 'x', {mode: 0o644});
  writeFileSync(join(folder, 'junk'), 'neither ELF nor a script\n', {mode: 0o755});
  const pod = (command: string) =>
    manifestOf(
      `hostUsers: false\nvolumes: [{name: v, hostPath: {path: ${folder}}}]\ncontainers:\n- {name: main, image: host, command: [${command}], volumeMounts: [{name: v, mountPath: /v}]}`,
    );
  for (const [command, exitCode, code, value, mend] of [
    [
      'no-such-thing',
      127,
      'SUBROOT_COMMAND_NOT_FOUND',
      /no-such-thing: .*ENOENT; PATH is/,
      /name a program of the image/,
    ],
    ['/v/plain', 126, 'SUBROOT_COMMAND_NOT_EXECUTABLE', /\/v\/plain: .*\(EACCES\)/, /chmod \+x/],
    ['/v', 126, 'SUBROOT_COMMAND_NOT_EXECUTABLE', /\/v: .*\(EACCES\)/, /chmod \+x/],
    ['/v/junk', 126, 'SUBROOT_COMMAND_NOT_EXECUTABLE', /\/v\/junk: .*\(ENOEXEC\)/, /through its interpreter/],
  ] as const)
    await cliRefuses(t, lab, ['run', '-'], {exitCode, code, layer: 'container', value, mend}, {input: pod(command)});
});

rootTest.serial('a container that ends at once ends `run` with what it said', async (t) => {
  const lab = await makeLab(t);
  const input = manifestOf(
    `hostUsers: false\ncontainers:\n- {name: main, image: host, command: [sh, -c, "echo no such setting; exit 3"]}`,
  );
  const expected = {
    exitCode: 1,
    code: 'SUBROOT_CONTAINER_EXITED',
    layer: 'container',
    value:
      /container main of pod bad ended at once with exit code 3: sh -c echo no such setting; exit 3; it said: no such setting/,
    mend: /--wait/,
  };
  await cliRefuses(t, lab, ['run', '-'], expected, {input});
  const once = input.replace('hostUsers: false', 'hostUsers: false\n  restartPolicy: Never');
  const waited = await runCli(['--root', lab.root, 'run', '--wait', '--rm', '-'], {...lab.child, input: once});
  t.is(waited.exitCode, 3);
  t.regex(waited.stdout, /no such setting/);
});

rootTest.serial('a second rm says that there is no such pod', async (t) => {
  const lab = await makeLab(t);
  const ran = await runCli(['--root', lab.root, 'run', '-'], {
    ...lab.child,
    input: manifestOf(`hostUsers: false\n${container}`),
  });
  t.is(ran.exitCode, 0, ran.stderr);
  t.is((await runCli(['--root', lab.root, 'rm', 'bad'], lab.child)).exitCode, 0);
  await cliRefuses(t, lab, ['rm', 'bad'], {
    exitCode: 1,
    code: 'SUBROOT_NOT_FOUND',
    layer: 'container',
    value: /there is no \S.*bad/,
    mend: /see what there is with `subroot/,
  });
});

// ── the machine

rootTest.serial('without perl nothing starts, and the message says which PATH was searched', async (t) => {
  const lab = await makeLab(t);
  const empty = await dir({unsafeCleanup: true});
  t.teardown(() => empty.cleanup());
  const expected = {
    code: 'SUBROOT_PERL_MISSING',
    layer: 'agent',
    value: new RegExp(`there is no perl on this machine \\(${empty.path}\\)`),
    mend: /apt-get install perl-base/,
  };
  const child = await ChildNode.start(t, {env: {PATH: empty.path}});
  await refused(t, lab, () => child.call('open', lab.options), expected);
  const input = manifestOf(`hostUsers: false\n${container}`);
  await cliRefuses(t, lab, ['run', '-'], {...expected, exitCode: 3}, {env: {PATH: empty.path}, input});
});

rootTest.serial('a process whose own folder was removed can run pods', async (t) => {
  const lab = await makeLab(t);
  const folder = await dir({});
  const child = await ChildNode.start(t, {...lab.child, cwd: folder.path});
  rmSync(folder.path, {recursive: true});
  await child.call('open', lab.options);
  const {name} = await child.run();
  t.is(await child.sh(name, 'pwd'), '/');
  await child.kill();
});

rootTest.serial('a working folder that is not there is made for a container and refused for an exec', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, lab.options, lab.child);
  const {name} = await child.run({workingDir: '/made/for/it'});
  t.is(await child.sh(name, 'pwd'), '/made/for/it');
  await refused(t, lab, () => child.call('exec', name, ['pwd'], {cwd: '/no/such/folder'}), {
    code: 'SUBROOT_STEP_FAILED',
    layer: 'kernel',
    value:
      /cannot run pwd: ENOENT at step \d+ of the plan \(chdir \/no\/such\/folder\): \/no\/such\/folder is not there/,
    mend: /make it, or correct the path/,
  });
  await child.kill();
});

// ── the state folder

rootTest.serial('a state folder on a read-only file system is refused with its path', async (t) => {
  const lab = await makeLab(t);
  const prefix = inOwnMounts(`mount --bind ${lab.root} ${lab.root} && mount -o remount,bind,ro ${lab.root}`);
  const child = await ChildNode.start(t, {...lab.child, prefix});
  lab.spared.add(child.pid);
  const expected = {
    code: 'SUBROOT_STATE_READ_ONLY',
    layer: 'state folder',
    value: new RegExp(`cannot write ${lab.root}.*: its file system is read-only \\(EROFS\\)`),
    mend: /--root DIR/,
  };
  await refused(t, lab, () => child.call('open', lab.options), expected);
  await child.kill();
  const input = manifestOf(`hostUsers: false\n${container}`);
  await cliRefuses(t, lab, ['run', '-'], {...expected, exitCode: 3}, {prefix, input});
});

rootTest.serial(
  'a state folder that becomes read-only under a node refuses pods and keeps those that run',
  async (t) => {
    const lab = await makeLab(t);
    const prefix = inOwnMounts(`mount --bind ${lab.root} ${lab.root}`);
    const child = await ChildNode.open(t, {...lab.options, lifetime: 'detached'}, {...lab.child, prefix});
    await child.run({name: 'before'});
    const remount = (mode: string) =>
      execFileSync('nsenter', ['-m', '-t', String(child.pid), 'mount', '-o', `remount,bind,${mode}`, lab.root]);
    remount('ro');
    await refused(t, lab, () => child.run({name: 'after'}), {
      code: 'SUBROOT_STATE_READ_ONLY',
      layer: 'state folder',
      value: /\(EROFS\)/,
      mend: /remount it writable/,
    });
    t.is((await child.call<{state: string}[]>('pods'))[0]?.state, 'Ready');
    remount('rw');
    t.is(await child.sh('before', 'echo alive'), 'alive');
    await child.call('remove', 'before');
    await child.kill();
  },
);

for (const [what, file, text, expected] of [
  [
    'a newer version',
    'version',
    '{"version":99}\n',
    {code: 'SUBROOT_STATE_NEWER', value: /is of version 99, and this subroot knows up to 1/, mend: /the newer subroot/},
  ],
  [
    'a version file that is no JSON',
    'version',
    'version one\n',
    {code: 'SUBROOT_STATE_CORRUPT', value: /\/version is damaged: it is not JSON/, mend: /./},
  ],
  [
    'a version file without a version',
    'version',
    '{}\n',
    {code: 'SUBROOT_STATE_CORRUPT', value: /\/version is damaged: it names no version/, mend: /./},
  ],
  [
    'a newer ledger',
    'ledger/version',
    '{"version":99}\n',
    {code: 'SUBROOT_LEDGER_VERSION', value: /version 99; this one knows up to/, mend: /newer subroot/},
  ],
  [
    'a damaged ledger version',
    'ledger/version',
    '\0\0',
    {code: 'SUBROOT_LEDGER_CORRUPT', value: /ledger\/version is damaged: it is not JSON/, mend: /move the folder away/},
  ],
] as const) {
  rootTest.serial(`a state folder with ${what} is refused and not touched`, async (t) => {
    const lab = await makeLab(t);
    await (await createNode(lab.options)).close();
    const path = join(lab.root, file);
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, text);
    const child = await ChildNode.start(t, lab.child);
    lab.spared.add(child.pid);
    await refused(t, lab, () => child.call('open', lab.options), {layer: 'state folder', ...expected});
    t.is(readFileSync(path, 'utf8'), text);
    await child.kill();
    writeFileSync(path, good);
  });
}

rootTest.serial('a damaged record is told by its path, and the other pods go on', async (t) => {
  const lab = await makeLab(t);
  await using node = await createNode({...lab.options, lifetime: 'detached'});
  const [good, bad] = [await node.runPod({name: 'good'}), await node.runPod({name: 'bad'})];
  const containerId = await bad.containerId();
  const sandboxFile = join(lab.root, 'sandboxes', bad.id, 'state.json');
  const containerFile = join(lab.root, 'containers', containerId, 'state.json');
  for (const [path, text, why] of [
    [sandboxFile, '{"id":', /it is not JSON/],
    [sandboxFile, '[]', /it lacks id, config, createdAt/],
    [sandboxFile, '"text"', /it is not an object/],
    [sandboxFile, '', /it is not JSON/],
    [containerFile, '\0\0\0\0', /it is not JSON/],
    [containerFile, '{"id":"x"}', /it lacks sandboxId, config, createdAt/],
  ] as const) {
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, text);
    // Another process: one keeps what it wrote itself in mind.
    await using other = await createNode({...lab.options, lifetime: 'detached'});
    const report = await other.gc();
    t.deepEqual(report.removed, [], `${path} ${text}`);
    t.is(report.quarantined.length, 1);
    t.regex(report.quarantined[0]?.why ?? '', why);
    t.true(report.quarantined[0]?.why.includes(path));
    t.is(await sh(other.pod('good'), 'echo alive'), 'alive');
    writeFileSync(path, whole);
    t.is(await sh(other.pod('bad'), 'echo alive'), 'alive');
  }
  t.is(await sh(good, 'echo alive'), 'alive');
});

rootTest.serial('a damaged exit file is told by its path', async (t) => {
  const lab = await makeLab(t);
  await using node = await createNode(lab.options);
  const pod = await node.runPod({command: ['true']});
  t.is(await exitOf(pod), 0);
  const containerId = await pod.containerId();
  const path = join(lab.root, 'containers', containerId, 'exit');
  writeFileSync(path, '{"exitCode":');
  await using other = await createNode({...lab.options, lifetime: 'detached'});
  await t.throwsAsync(other.runtime.containerStatus({containerId}), {
    code: 'SUBROOT_STATE_CORRUPT',
    message: new RegExp(`${path} is damaged: it is not JSON`),
  });
  await other.runtime.removePodSandbox({podSandboxId: pod.id});
  await pod.remove();
  t.deepEqual(
    lab.files().filter((path) => !path.includes('ledger/tmp')),
    [],
  );
});

rootTest.serial('a damaged block file of one pod is set aside, and its block is given to nobody', async (t) => {
  const lab = await makeLab(t, {blocks: 3});
  await using node = await createNode({...lab.options, lifetime: 'detached'});
  const pod = await node.runPod({name: 'web'});
  const path = join(lab.root, 'ledger/pods', pod.uid, 'userns');
  const whole = readFileSync(path, 'utf8');
  writeFileSync(path, whole.slice(0, 10));
  const report = await node.gc();
  t.deepEqual(report.removed, []);
  t.is(report.quarantined.length, 1, JSON.stringify(report));
  t.true(report.quarantined[0]?.what.includes(pod.uid));
  const others = [await node.runPod({}), await node.runPod({})];
  for (const other of others) t.not(other.block?.first, pod.block?.first);
  await t.throwsAsync(node.runPod({}), {code: 'SUBROOT_POOL_EXHAUSTED'});
  t.is(await sh(pod, 'echo alive'), 'alive');
  await pod.remove();
  await node.runPod({});
});

rootTest.serial('a disk that is full at any point of a start leaves the folder as it was', async (t) => {
  const lab = await makeLab(t);
  // The pods of this test live in a tmpfs of the child's own mount namespace, which takes ever more files.
  const prefix = inOwnMounts(`mount -t tmpfs -o nr_inodes=300,mode=0755 tmpfs ${lab.root}`);
  for (const lifetime of ['bound', 'detached'] as const) {
    const child = await ChildNode.open(t, {...lab.options, lifetime}, {...lab.child, prefix});
    lab.spared.add(child.pid);
    const view = `/proc/${child.pid}/root${lab.root}`;
    const input = {
      volumes: [{name: 'v', emptyDir: {}}],
      containers: [{name: 'a', volumeMounts: [{name: 'v', mountPath: '/v'}]}, {name: 'b'}],
    };
    await child.run({...input, name: 'first'});
    await child.call('remove', 'first');
    const used = Number(
      execFileSync('stat', ['-f', '-c', '%c %d', view], {encoding: 'utf8'})
        .split(' ')
        .reduce((total, free) => String(Number(total) - Number(free))),
    );
    const files = contentsOf(view);
    const processes = lab.podProcesses().length;
    const codes = new Set<string>();
    for (let room = 0; ; room++) {
      t.true(room < 80, 'a pod needs more than 80 files?');
      execFileSync('nsenter', [
        '-m',
        '-t',
        String(child.pid),
        'mount',
        '-o',
        `remount,nr_inodes=${used + room}`,
        lab.root,
      ]);
      const outcome = await child.run({...input, name: `room-${room}`}).catch((error: unknown) => error);
      if (!(outcome instanceof Error)) {
        t.true(codes.size > 0, 'no start failed');
        await child.call('remove', `room-${room}`);
        break;
      }
      const {code, message} = outcome as Error & {code: string};
      codes.add(code);
      t.regex(
        String(code),
        /^SUBROOT_(STATE_DISK_FULL|LEDGER_NO_SPACE)$/,
        `${lifetime}, room for ${room} files: ${message}`,
      );
      t.regex(message, /ENOSPC/);
      execFileSync('nsenter', ['-m', '-t', String(child.pid), 'mount', '-o', 'remount,nr_inodes=300', lab.root]);
      await until(
        'nothing half-made stays',
        () => contentsOf(view).join() === files.join() && lab.podProcesses().length === processes,
        {
          deadlineMs: 15_000,
          seen: () =>
            `${lifetime}, room for ${room} files, ${code}: ${contentsOf(view).filter((path) => !files.includes(path))} ${lab.processes()}`,
        },
      );
      t.deepEqual(await child.call('pods'), []);
    }
    await child.kill();
  }
});

// ── users who are not root

userTest.serial('without newuidmap mode subid says which package has it', async (t) => {
  const user = await fakeUser(t, {subuid: 'NAME:3000000000:262144\n'});
  const lab = await makeLab(t, {uid: user.uid});
  const tools = await sharedFolder(t);
  for (const name of ['perl', 'sh', 'mount', 'setpriv', 'unshare'])
    symlinkSync(execFileSync('sh', ['-c', `command -v ${name}`], {encoding: 'utf8'}).trim(), join(tools, name));
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix, env: {PATH: tools}});
  lab.spared.add(child.pid);
  await refused(t, lab, () => child.call('open', {root: lab.root, mode: 'subid'}), {
    code: 'SUBROOT_NEWUIDMAP_MISSING',
    layer: 'newuidmap policy',
    value: /there is no newuidmap on this machine/,
    mend: /apt-get install uidmap/,
  });
  // What was not asked for is chosen, and said.
  const {mode, reason} = await child.call<{mode: string; reason: string}>('open', {root: lab.root});
  t.is(mode, 'single');
  t.regex(reason, /^one id only: there is no newuidmap/);
  await child.call('close');
  await child.kill();
});

userTest.serial('a newuidmap that lost its privilege is found before the kernel refuses', async (t) => {
  const tools = await sharedFolder(t);
  for (const name of ['newuidmap', 'newgidmap']) {
    copyFileSync(`/usr/bin/${name}`, join(tools, name));
    chmodSync(join(tools, name), 0o755);
  }
  const user = await fakeUser(t, {subuid: 'NAME:3000000000:262144\n'});
  const lab = await makeLab(t, {uid: user.uid});
  const PATH = `${tools}:${process.env.PATH}`;
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix, env: {PATH}});
  lab.spared.add(child.pid);
  await refused(t, lab, () => child.call('open', {root: lab.root, mode: 'subid'}), {
    code: 'SUBROOT_NEWUIDMAP_UNPRIVILEGED',
    layer: 'newuidmap policy',
    value: new RegExp(`${tools}/newuidmap has lost its privilege \\(mode 755, owner 0, no file capability\\)`),
    mend: new RegExp(`chown root ${tools}/newuidmap && chmod u\\+s`),
  });
  await child.kill();
});

for (const [what, grants, expected] of [
  [
    'no subordinate ids',
    {subuid: 'somebody:3000000000:65536\n'},
    {
      code: 'SUBROOT_SUBID_NONE',
      layer: 'subordinate ids',
      value: /user anna\d+ has no subordinate ids in \/etc\/subuid/,
      mend: /usermod --add-subuids/,
    },
  ],
  [
    'subordinate uids but no gids',
    {subuid: 'NAME:3000000000:65536\n', subgid: ''},
    {code: 'SUBROOT_SUBID_NONE', layer: 'subordinate ids', value: /in \/etc\/subgid/, mend: /usermod --add-subuids/},
  ],
  [
    'a malformed line',
    {subuid: '# ids\nNAME:lots:65536\n'},
    {
      code: 'SUBROOT_SUBID_MALFORMED',
      layer: 'subordinate ids',
      value: /\/etc\/subuid line 2: .*malformed.*user anna\d+ gets no ids from it/s,
      mend: /write the line as `anna\d+:START:COUNT`/,
    },
  ],
] as const) {
  userTest.serial(`${what}: mode subid says the file, the user and the mend`, async (t) => {
    const user = await fakeUser(t, grants);
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
    lab.spared.add(child.pid);
    await refused(t, lab, () => child.call('open', {root: lab.root, mode: 'subid'}), expected);
    const {mode, reason} = await child.call<{mode: string; reason: string}>('open', {root: lab.root});
    t.is(mode, 'single');
    t.regex(reason, expected.value);
    await child.call('close');
    await child.kill();
  });
}

userTest.serial(
  'a user id without an account runs pods in mode single, and mode subid says what is missing',
  async (t) => {
    const user = await fakeUser(t, {account: false});
    const lab = await makeLab(t, {uid: user.uid});
    const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
    lab.spared.add(child.pid);
    await refused(t, lab, () => child.call('open', {root: lab.root, mode: 'subid'}), {
      code: 'SUBROOT_SUBID_NONE',
      layer: 'subordinate ids',
      value: new RegExp(`user ${user.uid} has no subordinate ids`),
      mend: /usermod/,
    });
    const {mode} = await child.call<{mode: string}>('open', {root: lab.root});
    t.is(mode, 'single');
    const {name} = await child.run();
    t.is(await child.sh(name, 'id -u'), '0');
    await child.call('close');
    await child.kill();
  },
);

userTest.serial('mode host says who we are when we are not root', async (t) => {
  const user = await fakeUser(t);
  const lab = await makeLab(t, {uid: user.uid});
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
  lab.spared.add(child.pid);
  await refused(t, lab, () => child.call('open', {root: lab.root, mode: 'host'}), {
    code: 'SUBROOT_MODE_HOST_NOT_ROOT',
    layer: 'kernel',
    value: new RegExp(`we are uid ${user.uid}`),
    mend: /--mode subid/,
  });
  await child.kill();
});

userTest.serial('a state folder of somebody else is refused with its path', async (t) => {
  const user = await fakeUser(t);
  const lab = await makeLab(t);
  const child = await ChildNode.start(t, {...lab.child, prefix: user.prefix});
  lab.spared.add(child.pid);
  await refused(t, lab, () => child.call('open', {root: lab.root, mode: 'single'}), {
    code: 'SUBROOT_STATE_FORBIDDEN',
    layer: 'state folder',
    value: new RegExp(`may not use ${lab.root}.* \\(EACCES\\)`),
    mend: /run as the user it belongs to/,
  });
  await child.kill();
});

// ── the kernel's limit

rootTest.serial('where no user namespace can be made, the limit is named, not the disk: as root', async (t) => {
  const lab = await makeLab(t);
  execFileSync('chown', [`${lab.pool.first}:${lab.pool.first}`, lab.root]);
  const prefix = inUserNamespace(
    lab.pool.first,
    3 * 65_536,
    'mount -t tmpfs none /mnt && echo 0 > /proc/sys/user/max_user_namespaces',
  );
  const child = await ChildNode.start(t, {...lab.child, prefix});
  const root = '/mnt/state';
  await child.call('open', {root});
  const before = lab.podProcesses().length;
  const error = await t.throwsAsync(child.run(), {code: 'SUBROOT_USERNS_LIMIT'});
  t.regex(error?.message ?? '', /user\.max_user_namespaces is 0 here/);
  t.regex(error?.message ?? '', /this is not about disk space/);
  t.regex(error?.message ?? '', /To mend: `sysctl user\.max_user_namespaces=/);
  t.is((error as unknown as {layer: string}).layer, 'kernel limit');
  t.deepEqual(await child.call('pods'), []);
  await until('nothing half-made stays', () => lab.podProcesses().length <= before);
  // The control: the same pod in the machine's user namespace of that root.
  await child.run({hostUsers: true});
  await child.call('close');
});

rootTest.serial('where no user namespace can be made, the limit is named, not the disk: as somebody', async (t) => {
  const lab = await makeLab(t);
  const then =
    'mount -t tmpfs -o mode=1777 none /mnt && echo 0 > /proc/sys/user/max_user_namespaces && set -- setpriv --reuid=1000 --regid=1000 --clear-groups -- "$@"';
  const prefix = inUserNamespace(lab.pool.first, 3 * 65_536, then);
  const child = await ChildNode.start(t, {...lab.child, prefix});
  const error = await t.throwsAsync(child.call('open', {root: '/mnt/state', mode: 'single'}), {
    code: 'SUBROOT_USERNS_LIMIT',
  });
  t.regex(error?.message ?? '', /user\.max_user_namespaces is 0 here/);
});
