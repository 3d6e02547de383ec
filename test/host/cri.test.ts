import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {ContainerConfig, NamespaceOption, PodSandboxConfig, UserNamespace} from '../../native-free/cri.ts';
import type {ErrorCode, GrpcStatus} from '../../native-free/errors.ts';
import {isProcessAlive} from '../../src/host/proc.ts';
import {type PodNode, SubrootError} from '../../src/index.ts';
import type {Runtime} from '../../src/runtime/runtime.ts';
import {contentsOf, hostTest, processes, until, withNode} from '../helpers/host-test.ts';
import {mapTextOf, sharedFolder} from '../helpers/in-pod.ts';

const rootTest = hostTest('root', 'userns', 'perl');

/** A block that nobody but this test process uses: the CRI takes any range, aligned or not. */
let nextId = 3_000_000_007 + (process.pid % 1000) * 200_000;
function block(): UserNamespace {
  nextId += 65_536;
  const mapping = {containerId: 0, hostId: nextId, length: 65_536};
  return {mode: 'POD', uids: [mapping], gids: [mapping]};
}

function options(usernsOptions: UserNamespace | undefined = block()): NamespaceOption {
  return {network: 'POD', pid: 'CONTAINER', ipc: 'POD', ...(usernsOptions ? {usernsOptions} : {})};
}

let nextName = 0;
function sandboxOf(part: Partial<PodSandboxConfig> & {namespaceOptions?: NamespaceOption} = {}): PodSandboxConfig {
  const {namespaceOptions = options(), ...rest} = part;
  const name = `s${nextName++}`;
  return {
    metadata: {name, namespace: 'cri', uid: `uid-${name}`, attempt: 0},
    linux: {securityContext: {namespaceOptions}},
    ...rest,
  };
}

function containerOf(part: Partial<ContainerConfig> = {}): ContainerConfig {
  return {metadata: {name: 'main', attempt: 0}, image: {image: 'host'}, command: ['sleep', 'infinity'], ...part};
}

/** A node's CRI verbs, with short forms; at the end no process of any of its sandboxes is left. */
class Cri {
  readonly node: PodNode;
  readonly runtime: Runtime;
  readonly holders: {pid: number; startTime: string}[] = [];

  constructor(node: PodNode) {
    this.node = node;
    this.runtime = node.runtime;
  }

  async sandbox(config: PodSandboxConfig = sandboxOf()): Promise<{id: string; config: PodSandboxConfig; pid: number}> {
    const {podSandboxId} = await this.runtime.runPodSandbox({config});
    const {info} = await this.runtime.podSandboxStatus({podSandboxId, verbose: true});
    const holder = JSON.parse(info.info ?? '{}') as {pid: number; startTime: string};
    this.holders.push(holder);
    return {id: podSandboxId, config, pid: holder.pid};
  }

  async create(sandbox: {id: string; config: PodSandboxConfig}, part: Partial<ContainerConfig> = {}): Promise<string> {
    const request = {podSandboxId: sandbox.id, config: containerOf(part), sandboxConfig: sandbox.config};
    return (await this.runtime.createContainer(request)).containerId;
  }

  async run(sandbox: {id: string; config: PodSandboxConfig}, part: Partial<ContainerConfig> = {}): Promise<string> {
    const containerId = await this.create(sandbox, part);
    await this.runtime.startContainer({containerId});
    return containerId;
  }

  async status(containerId: string) {
    return (await this.runtime.containerStatus({containerId})).status;
  }

  async ended(containerId: string) {
    return await until(`container ${containerId.slice(0, 13)} ends`, async () => {
      const status = await this.status(containerId);
      return status.state === 'CONTAINER_EXITED' && status;
    });
  }

  async exec(containerId: string, script: string, timeout = 20) {
    const {stdout, stderr, exitCode} = await this.runtime.execSync({containerId, cmd: ['sh', '-c', script], timeout});
    return {stdout: String(stdout), stderr: String(stderr), exitCode};
  }
}

async function withCri(t: ExecutionContext): Promise<Cri> {
  const made: {cri?: Cri} = {};
  t.teardown(async () => {
    for (const holder of made.cri?.holders ?? [])
      await until(`holder ${holder.pid} is gone`, () => !isProcessAlive(holder), {deadlineMs: 15_000});
  });
  made.cri = new Cri(await withNode(t));
  return made.cri;
}

type Expectation = {code: ErrorCode; grpc: GrpcStatus; message: RegExp};

async function refused(
  t: ExecutionContext,
  call: () => Promise<unknown>,
  {code, grpc, message}: Expectation,
  what = '',
) {
  const error = await t.throwsAsync(call, {instanceOf: SubrootError, code, message}, what);
  if (error instanceof SubrootError) t.is(error.grpc, grpc, what);
}

const notFound = (message: RegExp): Expectation => ({code: 'SUBROOT_NOT_FOUND', grpc: 'NOT_FOUND', message});
const wrongState = (message: RegExp): Expectation => ({
  code: 'SUBROOT_WRONG_STATE',
  grpc: 'FAILED_PRECONDITION',
  message,
});
const invalid = (message: RegExp): Expectation => ({
  code: 'SUBROOT_CONFIG_INVALID',
  grpc: 'INVALID_ARGUMENT',
  message,
});

const unknown = 'f'.repeat(64);

// ── sandboxes

rootTest.serial(
  'a sandbox is READY when RunPodSandbox answers, and its status echoes what was asked for',
  async (t) => {
    const cri = await withCri(t);
    const namespaceOptions = options();
    const labels = {app: 'web', 'io.kubernetes.pod.name': 'x'};
    const annotations = {'note/one': 'ünïcode\n"quoted"'};
    const before = BigInt(Date.now()) * 1_000_000n;
    const {id, config, pid} = await cri.sandbox(sandboxOf({labels, annotations, namespaceOptions}));
    t.regex(id, /^[0-9a-f]{64}$/);
    const {status} = await cri.runtime.podSandboxStatus({podSandboxId: id});
    t.is(status.id, id);
    t.is(status.state, 'SANDBOX_READY');
    t.deepEqual(status.metadata, config.metadata);
    t.deepEqual(status.labels, labels);
    t.deepEqual(status.annotations, annotations);
    t.deepEqual(status.linux.namespaces.options, namespaceOptions);
    t.is(status.runtimeHandler, '');
    t.true(status.createdAt >= before - 1_000_000n && status.createdAt <= BigInt(Date.now()) * 1_000_000n);
    const userns = namespaceOptions.usernsOptions?.uids[0]?.hostId;
    t.is(mapTextOf(pid), `0 ${userns} 65536`);
  },
);

rootTest.serial('metadata without name, namespace or uid is refused', async (t) => {
  const cri = await withCri(t);
  for (const field of ['name', 'namespace', 'uid'] as const) {
    const config = sandboxOf();
    const metadata = {...config.metadata, [field]: ''};
    const call = () => cri.runtime.runPodSandbox({config: {...config, metadata}});
    await refused(t, call, invalid(new RegExp(`metadata\\.${field}: it is empty`)), field);
  }
  t.deepEqual(await cri.runtime.listPodSandbox(), {items: []});
});

rootTest.serial('runtime handlers are "" and "subroot", and the one asked for is echoed', async (t) => {
  const cri = await withCri(t);
  const {podSandboxId} = await cri.runtime.runPodSandbox({config: sandboxOf(), runtimeHandler: 'subroot'});
  t.is((await cri.runtime.podSandboxStatus({podSandboxId})).status.runtimeHandler, 'subroot');
  await refused(
    t,
    () => cri.runtime.runPodSandbox({config: sandboxOf(), runtimeHandler: 'kata'}),
    invalid(/runtime_handler: the handler kata is not known; there is "" and "subroot"/),
  );
});

rootTest.serial('a second sandbox with the same metadata is refused; another attempt is a new one', async (t) => {
  const cri = await withCri(t);
  const {id, config} = await cri.sandbox();
  const taken: Expectation = {
    code: 'SUBROOT_SANDBOX_NAME_TAKEN',
    grpc: 'FAILED_PRECONDITION',
    message: new RegExp(id.slice(0, 13)),
  };
  await refused(t, () => cri.runtime.runPodSandbox({config}), taken);
  await cri.runtime.stopPodSandbox({podSandboxId: id});
  await refused(t, () => cri.runtime.runPodSandbox({config}), taken);
  const next = await cri.sandbox({...config, metadata: {...config.metadata, attempt: 1}});
  t.not(next.id, id);
  await cri.runtime.removePodSandbox({podSandboxId: id});
  const again = await cri.sandbox(config);
  t.deepEqual((await cri.runtime.listPodSandbox()).items.map((item) => item.id).sort(), [again.id, next.id].sort());
});

const one = {containerId: 0, hostId: 3_500_000_000, length: 65_536};
const usernsRules: readonly (readonly [title: string, usernsOptions: UserNamespace, message: RegExp])[] = [
  ['NODE with a uid mapping', {mode: 'NODE', uids: [one], gids: []}, /mode NODE takes no mappings/],
  ['NODE with a gid mapping', {mode: 'NODE', uids: [], gids: [one]}, /mode NODE takes no mappings/],
  ['CONTAINER', {mode: 'CONTAINER', uids: [one], gids: [one]}, /mode CONTAINER is not supported/],
  ['TARGET', {mode: 'TARGET', uids: [], gids: []}, /mode TARGET is not supported/],
  ['POD without mappings', {mode: 'POD', uids: [], gids: []}, /exactly one mapping in uids, not 0/],
  ['POD without gids', {mode: 'POD', uids: [one], gids: []}, /exactly one mapping in gids, not 0/],
  ['POD with two mappings', {mode: 'POD', uids: [one, one], gids: [one]}, /exactly one mapping in uids, not 2/],
  [
    'a mapping that starts at 1',
    {mode: 'POD', uids: [{...one, containerId: 1}], gids: [one]},
    /uids must map container id 0, not start at 1/,
  ],
  ['length 0', {mode: 'POD', uids: [{...one, length: 0}], gids: [one]}, /uids has length 0/],
  ['a negative length', {mode: 'POD', uids: [one], gids: [{...one, length: -1}]}, /gids has length -1/],
  ['half an id', {mode: 'POD', uids: [{...one, length: 0.5}], gids: [one]}, /uids has length 0\.5/],
  ['a negative host id', {mode: 'POD', uids: [{...one, hostId: -1}], gids: [one]}, /uids reaches past .*-1/],
  [
    'one past the last id',
    {mode: 'POD', uids: [{...one, hostId: 4_294_967_295 - 65_535}], gids: [one]},
    /uids reaches past 4294967294: 4294901760 \+ 65536/,
  ],
  [
    '2^32, which the kernel would fold to host root',
    {mode: 'POD', uids: [{...one, hostId: 4_294_967_296}], gids: [one]},
    /uids reaches past 4294967294: 4294967296/,
  ],
  ['no number', {mode: 'POD', uids: [{...one, hostId: Number.NaN}], gids: [one]}, /uids reaches past .*NaN/],
];

rootTest.serial('userns options that no runtime takes are refused before anything is made', async (t) => {
  const cri = await withCri(t);
  const before = contentsOf(cri.node.root);
  for (const [title, usernsOptions, message] of usernsRules) {
    const call = () => cri.runtime.runPodSandbox({config: sandboxOf({namespaceOptions: options(usernsOptions)})});
    await refused(t, call, invalid(message), title);
  }
  t.deepEqual(contentsOf(cri.node.root), before);
});

rootTest.serial('userns options that are absent or NODE share the machine’s user namespace', async (t) => {
  const cri = await withCri(t);
  const absent: NamespaceOption = {network: 'POD', pid: 'CONTAINER', ipc: 'POD'};
  const node: NamespaceOption = {...absent, usernsOptions: {mode: 'NODE', uids: [], gids: []}};
  for (const namespaceOptions of [absent, node]) {
    const {id, pid} = await cri.sandbox(sandboxOf({namespaceOptions}));
    t.is(mapTextOf(pid), mapTextOf('self'));
    const {status} = await cri.runtime.podSandboxStatus({podSandboxId: id});
    t.deepEqual(status.linux.namespaces.options, namespaceOptions);
  }
});

rootTest.serial('maps may be of any length, at any place, and differ for uids and gids', async (t) => {
  const cri = await withCri(t);
  for (const [uids, gids] of [
    [{containerId: 0, hostId: 3_333_333_333, length: 1}, one],
    [
      {containerId: 0, hostId: 4_294_967_295 - 65_536, length: 65_536},
      {containerId: 0, hostId: 1, length: 7},
    ],
  ] as const) {
    const usernsOptions: UserNamespace = {mode: 'POD', uids: [uids], gids: [gids]};
    const {pid} = await cri.sandbox(sandboxOf({namespaceOptions: options(usernsOptions)}));
    t.is(mapTextOf(pid, 'uid_map'), `0 ${uids.hostId} ${uids.length}`);
    t.is(mapTextOf(pid, 'gid_map'), `0 ${gids.hostId} ${gids.length}`);
  }
});

rootTest.serial('namespaces of the node are refused, each by its field', async (t) => {
  const cri = await withCri(t);
  for (const field of ['network', 'pid', 'ipc'] as const) {
    const namespaceOptions = {...options(), [field]: 'NODE'} as NamespaceOption;
    const call = () => cri.runtime.runPodSandbox({config: sandboxOf({namespaceOptions})});
    await refused(t, call, invalid(new RegExp(`namespace_options\\.${field}`)), field);
  }
});

rootTest.serial('stopping and removing a sandbox can be repeated, and is fine for one that never was', async (t) => {
  const cri = await withCri(t);
  const {runtime} = cri;
  const {id, pid, config} = await cri.sandbox();
  const containerId = await cri.run({id, config});
  for (let round = 0; round < 3; round++) await runtime.stopPodSandbox({podSandboxId: id});
  t.false(isProcessAlive({pid, startTime: cri.holders[0]?.startTime ?? ''}));
  const {status} = await runtime.podSandboxStatus({podSandboxId: id});
  t.is(status.state, 'SANDBOX_NOTREADY');
  t.is((await cri.status(containerId)).exitCode, 137);
  for (let round = 0; round < 3; round++) await runtime.removePodSandbox({podSandboxId: id});
  await refused(t, () => runtime.podSandboxStatus({podSandboxId: id}), notFound(/there is no sandbox/));
  await refused(t, () => cri.status(containerId), notFound(/there is no container/));
  await runtime.stopPodSandbox({podSandboxId: unknown});
  await runtime.removePodSandbox({podSandboxId: unknown});
  await runtime.stopContainer({containerId: unknown, timeout: 0});
  await runtime.removeContainer({containerId: unknown});
});

rootTest.serial('an empty id is refused everywhere', async (t) => {
  const {runtime} = await withCri(t);
  const calls: Record<string, () => Promise<unknown>> = {
    stopPodSandbox: () => runtime.stopPodSandbox({podSandboxId: ''}),
    removePodSandbox: () => runtime.removePodSandbox({podSandboxId: ''}),
    podSandboxStatus: () => runtime.podSandboxStatus({podSandboxId: ''}),
    startContainer: () => runtime.startContainer({containerId: ''}),
    stopContainer: () => runtime.stopContainer({containerId: '', timeout: 0}),
    removeContainer: () => runtime.removeContainer({containerId: ''}),
    containerStatus: () => runtime.containerStatus({containerId: ''}),
    execSync: () => runtime.execSync({containerId: '', cmd: ['true']}),
  };
  for (const [verb, call] of Object.entries(calls)) await refused(t, call, invalid(/_id: it is empty/), verb);
});

rootTest.serial('what needs a sandbox or container that is there says NOT_FOUND', async (t) => {
  const {runtime} = await withCri(t);
  const calls: Record<string, () => Promise<unknown>> = {
    podSandboxStatus: () => runtime.podSandboxStatus({podSandboxId: unknown}),
    createContainer: () =>
      runtime.createContainer({podSandboxId: unknown, config: containerOf(), sandboxConfig: sandboxOf()}),
    startContainer: () => runtime.startContainer({containerId: unknown}),
    containerStatus: () => runtime.containerStatus({containerId: unknown}),
    execSync: () => runtime.execSync({containerId: unknown, cmd: ['true']}),
  };
  for (const [verb, call] of Object.entries(calls)) await refused(t, call, notFound(/there is no \w+ f{64}/), verb);
});

rootTest.serial(
  'a sandbox whose process was killed is NOTREADY, its containers are EXITED, and it can be removed',
  async (t) => {
    const cri = await withCri(t);
    const sandbox = await cri.sandbox();
    const containerId = await cri.run(sandbox);
    process.kill(sandbox.pid, 'SIGKILL');
    t.is((await cri.ended(containerId)).exitCode, 137);
    // The kernel waits for all of a pid namespace before its first process is gone.
    await until('the sandbox is not ready', async () => {
      const {status} = await cri.runtime.podSandboxStatus({podSandboxId: sandbox.id});
      return status.state === 'SANDBOX_NOTREADY';
    });
    await refused(
      t,
      () => cri.create(sandbox),
      wrongState(/sandbox \w{13} is NOTREADY; CreateContainer needs it READY/),
    );
    await cri.runtime.stopPodSandbox({podSandboxId: sandbox.id});
    await cri.runtime.removePodSandbox({podSandboxId: sandbox.id});
  },
);

// ── containers

rootTest.serial('a container goes from CREATED through RUNNING to EXITED, with its times and its echo', async (t) => {
  const cri = await withCri(t);
  const logs = await sharedFolder(t);
  const sandbox = await cri.sandbox(sandboxOf({logDirectory: logs}));
  const mounts = [{containerPath: '/shared', hostPath: logs, readonly: true}];
  const labels = {tier: 'back'};
  const annotations = {hash: '1'};
  const image = {image: 'host', userSpecifiedImage: 'debian:12'};
  const security = {securityContext: {runAsUser: {value: 7}, runAsGroup: {value: 8}, supplementalGroups: [9, 8]}};
  const id = await cri.create(sandbox, {
    command: ['sh', '-c', 'trap "exit 3" TERM; echo ready; while :; do sleep 0.01; done'],
    ...{mounts, labels, annotations, image, linux: security, logPath: 'deep/main.log'},
  });
  const created = await cri.status(id);
  t.is(created.state, 'CONTAINER_CREATED');
  t.true(created.createdAt > 0n);
  t.deepEqual([created.startedAt, created.finishedAt, created.exitCode, created.reason], [0n, 0n, 0, '']);
  t.deepEqual(created.metadata, {name: 'main', attempt: 0});
  t.deepEqual(
    [created.labels, created.annotations, created.mounts, created.image],
    [labels, annotations, mounts, image],
  );
  t.not(created.imageRef, '');
  t.is(created.logPath, join(logs, 'deep/main.log'));
  t.deepEqual(created.user, {linux: {uid: 7, gid: 8, supplementalGroups: [8, 9]}});
  await cri.runtime.startContainer({containerId: id});
  const running = await cri.status(id);
  t.is(running.state, 'CONTAINER_RUNNING');
  t.true(running.startedAt >= created.createdAt);
  t.deepEqual([running.finishedAt, running.exitCode, running.reason], [0n, 0, '']);
  t.is((await cri.exec(id, 'id -u; id -g; id -G')).stdout, '7\n8\n8 9\n');
  await until('it says ready', () => readFileSync(created.logPath, 'utf8').includes('ready'));
  await cri.runtime.stopContainer({containerId: id, timeout: 20});
  const exited = await cri.status(id);
  t.is(exited.state, 'CONTAINER_EXITED');
  t.deepEqual([exited.exitCode, exited.reason], [3, 'Error']);
  t.true(exited.finishedAt >= running.startedAt);
  await cri.runtime.removeContainer({containerId: id});
  t.true(existsSync(created.logPath), 'the log stays: it is the kubelet’s to remove');
});

rootTest.serial('only a CREATED container can be started, and programs run only in a RUNNING one', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const id = await cri.create(sandbox);
  await refused(t, () => cri.exec(id, 'true'), wrongState(/is CREATED; Exec needs it RUNNING/));
  await cri.runtime.stopContainer({containerId: id, timeout: 0});
  t.is((await cri.status(id)).state, 'CONTAINER_CREATED', 'stopping what never ran changes nothing');
  await cri.runtime.startContainer({containerId: id});
  await refused(
    t,
    () => cri.runtime.startContainer({containerId: id}),
    wrongState(/is RUNNING; StartContainer needs it CREATED/),
  );
  await cri.runtime.stopContainer({containerId: id, timeout: 0});
  await refused(
    t,
    () => cri.runtime.startContainer({containerId: id}),
    wrongState(/is EXITED; StartContainer needs it CREATED/),
  );
  await refused(t, () => cri.exec(id, 'true'), wrongState(/is EXITED; Exec needs it RUNNING/));
  await cri.runtime.stopContainer({containerId: id, timeout: 10});
  const late = await cri.create(sandbox, {metadata: {name: 'late', attempt: 0}});
  await cri.runtime.stopPodSandbox({podSandboxId: sandbox.id});
  await refused(t, () => cri.runtime.startContainer({containerId: late}), wrongState(/NOTREADY/));
  await refused(t, () => cri.create(sandbox, {metadata: {name: 'later', attempt: 0}}), wrongState(/NOTREADY/));
});

rootTest.serial(
  'a second container of the same name is refused; another attempt is a new one; removal frees the name',
  async (t) => {
    const cri = await withCri(t);
    const sandbox = await cri.sandbox();
    const id = await cri.run(sandbox);
    const taken: Expectation = {
      code: 'SUBROOT_CONTAINER_NAME_TAKEN',
      grpc: 'FAILED_PRECONDITION',
      message: new RegExp(id.slice(0, 13)),
    };
    await refused(t, () => cri.create(sandbox), taken);
    const second = await cri.run(sandbox, {metadata: {name: 'main', attempt: 1}});
    await cri.runtime.removeContainer({containerId: id});
    await cri.runtime.removeContainer({containerId: id});
    t.is((await cri.status(second)).state, 'CONTAINER_RUNNING');
    await cri.run(sandbox);
    // The same name in another sandbox is another container.
    await cri.run(await cri.sandbox());
  },
);

rootTest.serial('a program that cannot be started leaves its container EXITED with StartError and 128', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const id = await cri.create(sandbox, {command: ['/no/such/program']});
  await refused(t, () => cri.runtime.startContainer({containerId: id}), {
    code: 'SUBROOT_COMMAND_NOT_FOUND',
    grpc: 'INVALID_ARGUMENT',
    message: /cannot start \/no\/such\/program/,
  });
  const status = await cri.status(id);
  t.deepEqual([status.state, status.reason, status.exitCode], ['CONTAINER_EXITED', 'StartError', 128]);
  t.regex(status.message, /cannot start \/no\/such\/program/);
  t.is(status.startedAt, 0n);
  t.true(status.finishedAt > 0n);
  await refused(t, () => cri.runtime.startContainer({containerId: id}), wrongState(/is EXITED/));
  // The sandbox is none the worse for it.
  t.is((await cri.exec(await cri.run(sandbox, {metadata: {name: 'b', attempt: 0}}), 'echo ok')).stdout, 'ok\n');
});

rootTest.serial('a wrong container configuration is refused when it is created, not when it is started', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const before = contentsOf(cri.node.root);
  const rows: readonly (readonly [part: Partial<ContainerConfig>, expected: Expectation])[] = [
    [
      {image: {image: '/no/such/root'}},
      {code: 'SUBROOT_IMAGE_UNKNOWN', grpc: 'NOT_FOUND', message: /\/no\/such\/root/},
    ],
    [{image: {image: 'debian:12'}}, {code: 'SUBROOT_IMAGE_UNKNOWN', grpc: 'NOT_FOUND', message: /debian:12/}],
    [{command: []}, invalid(/command: neither the container nor its image names a program/)],
    [{metadata: {name: '', attempt: 0}}, invalid(/metadata\.name: it is empty/)],
    [{mounts: [{containerPath: '/x', hostPath: '/no/such/folder'}]}, invalid(/there is nothing at \/no\/such\/folder/)],
    [{mounts: [{containerPath: 'x', hostPath: '/usr'}]}, invalid(/x is not a full path/)],
    [{linux: {securityContext: {capabilities: {addCapabilities: ['CAP_MAGIC']}}}}, invalid(/no capability CAP_MAGIC/)],
    [{linux: {securityContext: {runAsUser: {value: 65_536}}}}, invalid(/run_as_user: id 65536/)],
    [{linux: {securityContext: {runAsUser: {value: -1}}}}, invalid(/run_as_user: id -1/)],
    [{linux: {securityContext: {supplementalGroups: [70_000]}}}, invalid(/supplemental_groups: id 70000/)],
    [
      {linux: {securityContext: {namespaceOptions: options()}}},
      invalid(/userns_options: it differs from that of the sandbox/),
    ],
  ];
  for (const [part, expected] of rows)
    await refused(t, () => cri.create(sandbox, part), expected, JSON.stringify(part));
  t.deepEqual(contentsOf(cri.node.root), before);
});

rootTest.serial('removing a running container kills it, and the others of its pod go on', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const [a, b] = [await cri.run(sandbox), await cri.run(sandbox, {metadata: {name: 'b', attempt: 0}})];
  const {info} = await cri.runtime.containerStatus({containerId: a, verbose: true});
  const init = JSON.parse(info.info ?? '{}') as {pid: number; startTime: string};
  t.true(isProcessAlive(init));
  await cri.runtime.removeContainer({containerId: a});
  t.false(isProcessAlive(init));
  await refused(t, () => cri.status(a), notFound(/there is no container/));
  t.is((await cri.exec(b, 'echo still')).stdout, 'still\n');
});

// ── stopping

rootTest.serial('a container that handles its stop signal ends with its own code within the grace', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const loop = 'while :; do sleep 0.01; done';
  const trap = async (name: string, script: string, stopSignal?: string) => {
    const id = await cri.run(sandbox, {
      metadata: {name, attempt: 0},
      command: ['sh', '-c', `${script}; : > /dev/shm/${name}; ${loop}`],
      ...(stopSignal ? {stopSignal} : {}),
    });
    await until('the trap is set', async () => (await cri.exec(id, `ls /dev/shm/${name}`)).exitCode === 0);
    const startedAt = performance.now();
    await cri.runtime.stopContainer({containerId: id, timeout: 30});
    t.true(performance.now() - startedAt < 10_000, name);
    return (await cri.status(id)).exitCode;
  };
  t.is(await trap('zero', 'trap "exit 0" TERM'), 0);
  t.is(await trap('usual', 'trap "exit 143" TERM'), 143);
  t.is(await trap('other', 'trap "exit 5" USR1', 'USR1'), 5);
  t.is(await trap('sig', 'trap "exit 6" INT', 'SIGINT'), 6);
});

rootTest.serial('a container that ignores its stop signal is killed after the grace: 137', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const id = await cri.run(sandbox);
  const startedAt = performance.now();
  await cri.runtime.stopContainer({containerId: id, timeout: 1});
  const tookMs = performance.now() - startedAt;
  t.true(tookMs >= 950 && tookMs < 6000, `${tookMs} ms`);
  t.is((await cri.status(id)).exitCode, 137);
});

rootTest.serial('a second stop shortens the first, and a timeout of 0 or less kills at once', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox();
  const id = await cri.run(sandbox);
  const startedAt = performance.now();
  const patient = cri.runtime.stopContainer({containerId: id, timeout: 60});
  await cri.runtime.stopContainer({containerId: id, timeout: 0});
  await patient;
  const other = await cri.run(sandbox, {metadata: {name: 'b', attempt: 0}});
  await cri.runtime.stopContainer({containerId: other, timeout: -5});
  t.true(performance.now() - startedAt < 10_000);
  t.is((await cri.status(other)).exitCode, 137);
});

rootTest.serial('in a shared pid namespace TERM ends a plain program (143), and its children with it', async (t) => {
  const cri = await withCri(t);
  const sandbox = await cri.sandbox(sandboxOf({namespaceOptions: {...options(), pid: 'POD'}}));
  const id = await cri.run(sandbox);
  await cri.runtime.stopContainer({containerId: id, timeout: 30});
  t.is((await cri.status(id)).exitCode, 143);
  const seconds = `${2_000_000 + process.pid}.5`;
  const parent = await cri.run(sandbox, {
    metadata: {name: 'b', attempt: 0},
    command: ['sh', '-c', `sleep ${seconds} & wait`],
  });
  const isSleeping = () => processes().some(({commandLine}) => commandLine === `sleep ${seconds}`);
  await until('the child sleeps', isSleeping);
  await cri.runtime.removeContainer({containerId: parent});
  await until('the child is gone with its container', () => !isSleeping(), {deadlineMs: 15_000});
});

// ── lists

rootTest.serial('lists are filtered by id, state, labels and sandbox, all of them at once, newest first', async (t) => {
  const cri = await withCri(t);
  const {runtime} = cri;
  const a = await cri.sandbox(sandboxOf({labels: {app: 'web', tier: 'front'}}));
  const b = await cri.sandbox(sandboxOf({labels: {app: 'web', tier: 'back'}}));
  const c = await cri.sandbox(sandboxOf());
  await runtime.stopPodSandbox({podSandboxId: b.id});
  const sandboxes = async (filter: Parameters<Runtime['listPodSandbox']>[0]) =>
    (await runtime.listPodSandbox(filter)).items.map(({id}) => id);
  t.deepEqual(await sandboxes({}), [c.id, b.id, a.id]);
  t.deepEqual(await sandboxes({filter: {labelSelector: {app: 'web'}}}), [b.id, a.id]);
  t.deepEqual(await sandboxes({filter: {labelSelector: {app: 'web', tier: 'front'}}}), [a.id]);
  t.deepEqual(await sandboxes({filter: {labelSelector: {app: 'web'}, state: 'SANDBOX_READY'}}), [a.id]);
  t.deepEqual(await sandboxes({filter: {state: 'SANDBOX_NOTREADY'}}), [b.id]);
  t.deepEqual(await sandboxes({filter: {id: a.id}}), [a.id]);
  t.deepEqual(await sandboxes({filter: {id: a.id.slice(0, 20)}}), [a.id]);
  t.deepEqual(await sandboxes({filter: {id: a.id, state: 'SANDBOX_NOTREADY'}}), []);
  t.deepEqual(await sandboxes({filter: {id: unknown}}), []);
  t.deepEqual(await sandboxes({filter: {labelSelector: {app: 'other'}}}), []);

  const x = await cri.run(a, {labels: {role: 'x'}});
  const y = await cri.create(a, {metadata: {name: 'y', attempt: 0}, labels: {role: 'y'}});
  const z = await cri.run(c, {labels: {role: 'x'}});
  await runtime.stopContainer({containerId: z, timeout: 0});
  const containers = async (filter: Parameters<Runtime['listContainers']>[0]) =>
    (await runtime.listContainers(filter)).containers.map(({id}) => id);
  t.deepEqual(await containers({}), [z, y, x]);
  t.deepEqual(await containers({filter: {podSandboxId: a.id}}), [y, x]);
  t.deepEqual(await containers({filter: {podSandboxId: a.id.slice(0, 16)}}), [y, x]);
  t.deepEqual(await containers({filter: {podSandboxId: unknown}}), []);
  t.deepEqual(await containers({filter: {labelSelector: {role: 'x'}}}), [z, x]);
  t.deepEqual(await containers({filter: {labelSelector: {role: 'x'}, podSandboxId: c.id}}), [z]);
  t.deepEqual(await containers({filter: {state: 'CONTAINER_CREATED'}}), [y]);
  t.deepEqual(await containers({filter: {state: 'CONTAINER_EXITED'}}), [z]);
  t.deepEqual(await containers({filter: {id: x, state: 'CONTAINER_EXITED'}}), []);
  const [item] = (await runtime.listContainers({filter: {id: x}})).containers;
  t.is(item?.podSandboxId, a.id);
  t.deepEqual(item?.labels, {role: 'x'});
});

rootTest.serial(
  'a unique prefix of an id names its thing everywhere; one that fits several is ambiguous',
  async (t) => {
    const cri = await withCri(t);
    const {runtime} = cri;
    const sandbox = await cri.sandbox();
    const ids: string[] = [];
    // 17 ids have at least two with the same first digit.
    for (let index = 0; index < 17; index++)
      ids.push(await cri.create(sandbox, {metadata: {name: `c${index}`, attempt: 0}}));
    const digits = ids.map(([digit = '']) => digit);
    const shared = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? '';
    const matches = ids.filter((id) => id.startsWith(shared));
    const ambiguous: Expectation = {
      code: 'SUBROOT_AMBIGUOUS',
      grpc: 'INVALID_ARGUMENT',
      message: new RegExp(`^${shared} fits ${matches.length} containers: `),
    };
    await refused(t, () => runtime.containerStatus({containerId: shared}), ambiguous);
    await refused(t, () => runtime.startContainer({containerId: shared}), ambiguous);
    await refused(t, () => runtime.removeContainer({containerId: shared}), ambiguous);
    const [first = ''] = ids;
    const prefix = first.slice(0, 16);
    await runtime.startContainer({containerId: prefix});
    t.is((await cri.exec(prefix, 'echo $HOME')).stdout, '/root\n');
    t.is((await runtime.podSandboxStatus({podSandboxId: sandbox.id.slice(0, 16)})).status.id, sandbox.id);
    await runtime.stopContainer({containerId: prefix, timeout: 0});
    await runtime.removeContainer({containerId: prefix});
    await refused(t, () => cri.status(prefix), notFound(/there is no container/));
    await runtime.stopPodSandbox({podSandboxId: sandbox.id.slice(0, 16)});
    await runtime.removePodSandbox({podSandboxId: sandbox.id.slice(0, 16)});
  },
);

// ── ExecSync

rootTest.serial('ExecSync keeps the two streams apart, and a non-zero end is an answer', async (t) => {
  const cri = await withCri(t);
  const id = await cri.run(await cri.sandbox());
  t.deepEqual(await cri.exec(id, 'echo out; echo err >&2; exit 7'), {stdout: 'out\n', stderr: 'err\n', exitCode: 7});
  t.deepEqual(await cri.exec(id, 'true', 0), {stdout: '', stderr: '', exitCode: 0});
  t.is((await cri.exec(id, 'kill -9 $$')).exitCode, 137);
  t.is((await cri.exec(id, 'kill -TERM $$')).exitCode, 143);
  const {stdout} = await cri.runtime.execSync({containerId: id, cmd: ['printf', String.raw`\000\377\n`]});
  t.deepEqual([...stdout], [0, 255, 10]);
  await refused(t, () => cri.runtime.execSync({containerId: id, cmd: []}), invalid(/cmd: it is empty/));
  await refused(t, () => cri.runtime.execSync({containerId: id, cmd: ['/no/such']}), {
    code: 'SUBROOT_COMMAND_NOT_FOUND',
    grpc: 'INVALID_ARGUMENT',
    message: /\/no\/such/,
  });
});

rootTest.serial('a program that takes longer than its timeout is killed with all that it started', async (t) => {
  const cri = await withCri(t);
  const id = await cri.run(await cri.sandbox());
  const seconds = [1, 2, 3].map((index) => `${3_000_000 + process.pid}.${index}`);
  const sleeping = () => processes().filter(({commandLine}) => seconds.some((each) => commandLine === `sleep ${each}`));
  const script = `sleep ${seconds[0]} & sh -c 'sleep ${seconds[1]} & wait' & sleep ${seconds[2]}`;
  const startedAt = performance.now();
  await refused(t, () => cri.exec(id, script, 1), {
    code: 'SUBROOT_EXEC_TIMEOUT',
    grpc: 'DEADLINE_EXCEEDED',
    message: /sh did not end within 1 s and was killed/,
  });
  t.true(performance.now() - startedAt < 5000);
  await until('the whole tree is gone', () => sleeping().length === 0, {
    deadlineMs: 15_000,
    seen: () =>
      sleeping()
        .map(({commandLine}) => commandLine)
        .join(', '),
  });
  t.is((await cri.exec(id, 'echo alive')).stdout, 'alive\n');
});

rootTest.serial(
  'the timeout holds also for a program that ended and left its output open in the background',
  async (t) => {
    const cri = await withCri(t);
    const id = await cri.run(await cri.sandbox());
    const seconds = `${4_000_000 + process.pid}.5`;
    const isSleeping = () => processes().some(({commandLine}) => commandLine === `sleep ${seconds}`);
    const startedAt = performance.now();
    const outcome = await cri.exec(id, `echo said; sleep ${seconds} &`, 1).catch((error: unknown) => error);
    t.true(performance.now() - startedAt < 5000);
    t.true(outcome instanceof SubrootError && outcome.code === 'SUBROOT_EXEC_TIMEOUT', String(outcome));
    await until('it is gone', () => !isSleeping(), {deadlineMs: 15_000});
  },
);

rootTest.serial('20 MB of output are capped without an error, and the program reads no broken pipe', async (t) => {
  const cri = await withCri(t);
  const id = await cri.run(await cri.sandbox());
  const script = 'print "o" x 65536 for 1 .. 320; print STDERR "done\\n"; exit 4';
  const answer = await cri.runtime.execSync({containerId: id, cmd: ['perl', '-e', script], timeout: 60});
  t.is(answer.exitCode, 4);
  t.true(answer.stdout.length > 14_000_000 && answer.stdout.length < 16 * 1024 * 1024, String(answer.stdout.length));
  t.true(answer.stdout.every((byte) => byte === 0x6f));
});

rootTest.serial('64 programs at once in one container each get their own answer', async (t) => {
  const cri = await withCri(t);
  const id = await cri.run(await cri.sandbox());
  const answers = await Promise.all(
    Array.from({length: 64}, (_, index) => cri.exec(id, `echo ${index}; exit ${index}`)),
  );
  t.deepEqual(
    answers.map(({stdout, exitCode}) => [stdout, exitCode]),
    answers.map((_, index) => [`${index}\n`, index]),
  );
});

// ── several at once

rootTest.serial('16 pods at once all run, with blocks of their own', async (t) => {
  const node = await withNode(t);
  const pods = await Promise.all(Array.from({length: 16}, (_, index) => node.runPod({name: `p${index}`})));
  const firsts = pods.map(({block}) => block?.first);
  t.is(new Set(firsts).size, 16);
  const answers = await Promise.all(pods.map(async (pod) => (await pod.$`hostname`).stdout));
  t.deepEqual(
    answers,
    pods.map(({name}) => name),
  );
  await Promise.all(pods.map((pod) => pod.remove()));
  t.deepEqual(await node.pods(), []);
});

rootTest.serial('of calls with the same metadata at once exactly one succeeds', async (t) => {
  const cri = await withCri(t);
  const config = sandboxOf();
  const outcomes = await Promise.allSettled(Array.from({length: 12}, () => cri.runtime.runPodSandbox({config})));
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
  t.is(failures.length, 11);
  for (const {reason} of failures) t.is((reason as SubrootError).code, 'SUBROOT_SANDBOX_NAME_TAKEN');
  const {items} = await cri.runtime.listPodSandbox();
  t.is(items.length, 1);
  const [item] = items;
  const sandbox = {id: item?.id ?? '', config};
  const creations = await Promise.allSettled(Array.from({length: 12}, () => cri.create(sandbox)));
  t.is(creations.filter(({status}) => status === 'fulfilled').length, 1);
  const containers = (await cri.runtime.listContainers()).containers;
  t.is(containers.length, 1);
  const [container] = containers;
  const starts = await Promise.allSettled(
    Array.from({length: 6}, () => cri.runtime.startContainer({containerId: container?.id ?? ''})),
  );
  t.is(starts.filter(({status}) => status === 'fulfilled').length, 1);
  t.is((await cri.status(container?.id ?? '')).state, 'CONTAINER_RUNNING');
  t.is((await cri.exec(container?.id ?? '', 'ls /proc | grep -c "^[0-9]"')).exitCode, 0);
  // All of them stop and remove at once, as a kubelet does that repeats itself.
  await Promise.all(Array.from({length: 6}, () => cri.runtime.removePodSandbox({podSandboxId: sandbox.id})));
  t.deepEqual((await cri.runtime.listPodSandbox()).items, []);
});

rootTest.serial('of pods with the same name at once exactly one runs', async (t) => {
  const node = await withNode(t);
  const outcomes = await Promise.allSettled(Array.from({length: 8}, () => node.runPod({name: 'same'})));
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
  t.is(failures.length, 7);
  for (const {reason} of failures) t.is((reason as SubrootError).code, 'SUBROOT_POD_NAME_TAKEN');
  t.is((await node.pods()).length, 1);
  t.is(readdirSync(join(node.root, 'ledger', 'blocks')).length, 1);
});

// ── cancelling

/** Lets the signal fire right before or right after the n-th request to the agent, and counts the requests. */
function abortAt(node: PodNode, n: number, when: 'before' | 'after'): {signal: AbortSignal; restore: () => number} {
  const {agent} = node.runtime;
  const controller = new AbortController();
  const originals = {request: agent.request.bind(agent), launch: agent.launch.bind(agent)};
  let count = 0;
  const around = async <Answer>(verb: string, call: () => Promise<Answer>): Promise<Answer> => {
    if (verb === 'leftover' || verb === 'keep' || verb === 'drop') return call();
    count += 1;
    const mine = count === n;
    if (mine && when === 'before') controller.abort();
    try {
      return await call();
    } finally {
      if (mine && when === 'after') controller.abort();
    }
  };
  agent.request = (verb, ...rest) => around(verb, () => originals.request(verb, ...rest));
  agent.launch = (...args) => around('start', () => originals.launch(...args));
  return {
    signal: controller.signal,
    restore: () => {
      Object.assign(agent, originals);
      return count;
    },
  };
}

rootTest.serial('a start that is cancelled at any point leaves nothing', async (t) => {
  const node = await withNode(t);
  const input = {
    volumes: [{name: 'v', emptyDir: {}}],
    containers: [{name: 'a', volumeMounts: [{name: 'v', mountPath: '/v'}]}, {name: 'b'}],
  };
  // The first run makes what stays for all (the links of /etc/alternatives).
  await (await node.runPod(input)).remove();
  const before = contentsOf(node.root);
  let cancelled = 0;
  for (const when of ['before', 'after'] as const) {
    for (let n = 1; ; n++) {
      const abort = abortAt(node, n, when);
      const outcome = await node.runPod(input, {signal: abort.signal}).then(
        (pod) => pod,
        (error: unknown) => error,
      );
      const requests = abort.restore();
      if (!(outcome instanceof Error)) {
        await (outcome as Awaited<ReturnType<PodNode['runPod']>>).remove();
        t.true(requests < n || when === 'before', `cancelled ${when} request ${n} of ${requests}, and the pod runs`);
        if (requests < n) break;
        continue;
      }
      cancelled += 1;
      t.true(outcome instanceof SubrootError, String(outcome));
      t.regex((outcome as SubrootError).code, /^SUBROOT_(POD_ABORTED|CANCELLED)$/);
      t.is((outcome as SubrootError).grpc, 'CANCELLED');
      t.deepEqual(await node.pods(), []);
      await until('the state folder is as it was', () => contentsOf(node.root).join() === before.join(), {
        deadlineMs: 10_000,
        seen: () =>
          contentsOf(node.root)
            .filter((path) => !before.includes(path))
            .join(', '),
      });
    }
  }
  t.true(cancelled >= 6, String(cancelled));
});

rootTest.serial('an aborted signal stops every verb before it does anything', async (t) => {
  const cri = await withCri(t);
  const {runtime} = cri;
  const sandbox = await cri.sandbox();
  const running = await cri.run(sandbox);
  const created = await cri.create(sandbox, {metadata: {name: 'b', attempt: 0}});
  const before = contentsOf(cri.node.root);
  const call = {signal: AbortSignal.abort()};
  const calls: Record<string, () => Promise<unknown>> = {
    runPodSandbox: () => runtime.runPodSandbox({config: sandboxOf()}, call),
    createContainer: () =>
      runtime.createContainer(
        {
          podSandboxId: sandbox.id,
          config: containerOf({metadata: {name: 'c', attempt: 0}}),
          sandboxConfig: sandbox.config,
        },
        call,
      ),
    startContainer: () => runtime.startContainer({containerId: created}, call),
    execSync: () => runtime.execSync({containerId: running, cmd: ['true']}, call),
    stopPodSandbox: () => runtime.stopPodSandbox({podSandboxId: sandbox.id}, call),
    removePodSandbox: () => runtime.removePodSandbox({podSandboxId: sandbox.id}, call),
  };
  for (const [verb, run] of Object.entries(calls))
    await refused(t, run, {code: 'SUBROOT_CANCELLED', grpc: 'CANCELLED', message: /was cancelled/}, verb);
  t.deepEqual(contentsOf(cri.node.root), before);
  t.is((await cri.status(running)).state, 'CONTAINER_RUNNING');
  t.is((await cri.status(created)).state, 'CONTAINER_CREATED');
});

rootTest.serial(
  'an ExecSync that is cancelled kills its program; a stop that is cancelled leaves the container running',
  async (t) => {
    const cri = await withCri(t);
    const id = await cri.run(await cri.sandbox());
    const seconds = `${5_000_000 + process.pid}.5`;
    const isSleeping = () => processes().some(({commandLine}) => commandLine === `sleep ${seconds}`);
    const exec = new AbortController();
    const running = cri.runtime.execSync(
      {containerId: id, cmd: ['sh', '-c', `sleep ${seconds} & wait`]},
      {signal: exec.signal},
    );
    await until('the program runs', isSleeping);
    exec.abort();
    await refused(t, () => running, {
      code: 'SUBROOT_CANCELLED',
      grpc: 'CANCELLED',
      message: /running sh was cancelled/,
    });
    await until('the program is gone', () => !isSleeping(), {deadlineMs: 15_000});
    const stop = new AbortController();
    const stopping = cri.runtime.stopContainer({containerId: id, timeout: 60}, {signal: stop.signal});
    stop.abort();
    await refused(t, () => stopping, {
      code: 'SUBROOT_CANCELLED',
      grpc: 'CANCELLED',
      message: /stopping container main/,
    });
    t.is((await cri.status(id)).state, 'CONTAINER_RUNNING');
  },
);

rootTest.serial('a damaged record of one sandbox does not hide the others', async (t) => {
  const cri = await withCri(t);
  const [good, bad] = [await cri.sandbox(), await cri.sandbox()];
  const path = join(cri.node.root, 'sandboxes', bad.id, 'state.json');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, 40));
  t.deepEqual(
    (await cri.runtime.listPodSandbox()).items.map(({id}) => id),
    [good.id],
  );
  await refused(t, () => cri.runtime.podSandboxStatus({podSandboxId: bad.id}), {
    code: 'SUBROOT_STATE_CORRUPT',
    grpc: 'UNKNOWN',
    message: new RegExp(`${bad.id}/state\\.json is damaged: it is not JSON`),
  });
  writeFileSync(path, text);
  t.is((await cri.runtime.podSandboxStatus({podSandboxId: bad.id})).status.state, 'SANDBOX_READY');
});
