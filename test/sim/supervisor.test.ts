import test, {type ExecutionContext} from 'ava';
import type {Pod, PodEvent, PodNetwork, PodStatus, StartedPod, StartPodOptions} from '../../sim/index.ts';
import {isReady, parseManifests, removePod, startPod, statusWord, stopPod} from '../../sim/index.ts';
// What is loaded when it is needed is loaded here, so that no time passes for it.
import '../../sim/pod-supervisor.ts';
import '../../sim/pre-stop.ts';
import {FakeRuntime} from './fake-runtime.ts';
import {newRoot, openLedger} from './ledger-world.ts';
import {ManualClock, settle} from './manual-clock.ts';

function podOf(spec: string): Pod {
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: web, uid: uid-1}, spec: {${spec}}}`;
  const [pod] = parseManifests(text, {file: 'pod.yaml'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}

class World {
  readonly runtime = new FakeRuntime();
  readonly clock = new ManualClock();
  readonly events: PodEvent[] = [];
  readonly statuses: PodStatus[] = [];
  readonly #ledger;
  isStopping = false;
  network: PodNetwork = {
    http: async () => ({status: 200, body: ''}),
    connect: async () => undefined,
    grpcHealth: async () => 'SERVING',
  };

  constructor(t: ExecutionContext) {
    this.#ledger = openLedger(newRoot(t), 1);
  }

  /** Starts a pod; time goes on meanwhile. */
  async start(
    spec: string,
    more: Partial<StartPodOptions> = {},
  ): Promise<StartedPod & {supervisor: NonNullable<StartedPod['supervisor']>}> {
    const starting = startPod(this.runtime, podOf(spec), {
      ledger: this.#ledger,
      networkOf: () => this.network,
      isStopping: () => this.isStopping,
      supervise: {clock: this.clock, onStatus: (status) => this.statuses.push(status)},
      onEvent: (event) => this.events.push(event),
      ...more,
    });
    const started = await starting;
    return started as never;
  }

  /** As start, but answers as soon as the pod is looked after: it may wait for its init containers. */
  async begin(spec: string, more: Partial<StartPodOptions> = {}) {
    const starting = this.start(spec, more);
    starting.catch(() => undefined);
    await this.clock.untilAwaited();
    return {starting};
  }

  reasons(): string[] {
    return this.events.map(({reason, container}) => (container === undefined ? reason : `${reason} ${container}`));
  }

  calls(prefix: string): string[] {
    return this.runtime.calls.filter((call) => call.startsWith(prefix));
  }

  /** Milliseconds until the container runs again. */
  async untilRestart(name: string, limitMs = 700_000): Promise<number> {
    const before = this.calls(`startContainer ${name}`).length;
    for (let passed = 0; passed <= limitMs; passed += 100) {
      await settle();
      if (this.calls(`startContainer ${name}`).length > before) return passed;
      await this.clock.advance(100);
    }
    return Number.POSITIVE_INFINITY;
  }
}

const one = (fields = '') => `containers: [{name: a, image: host${fields && `, ${fields}`}}]`;

test('a container that keeps ending is started again at once, then after 10 s, 20 s, … 5 min', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(one());
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    world.runtime.exit('a', 0);
    waits.push(await world.untilRestart('a'));
  }
  const seconds = waits.map((ms) => Math.round(ms / 1000));
  t.deepEqual(seconds, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
  t.is(supervisor.status.containers[0]?.restartCount, 9);
  await supervisor.release();
});

test('a container that ran for more than ten minutes begins anew', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(one());
  for (let i = 0; i < 3; i++) {
    world.runtime.exit('a', 1);
    await world.untilRestart('a');
  }
  await world.clock.advance(601_000);
  world.runtime.exit('a', 1);
  t.true((await world.untilRestart('a')) <= 200);
  world.runtime.exit('a', 1);
  t.is(Math.round((await world.untilRestart('a')) / 1000), 10);
  await supervisor.release();
});

test('the back-off is what one asks for', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(one(), {
    supervise: {clock: world.clock, backOff: {firstMs: 1000, mostMs: 3000}},
  });
  const waits = [];
  for (let i = 0; i < 5; i++) {
    world.runtime.exit('a', 1);
    waits.push(Math.round((await world.untilRestart('a')) / 1000));
  }
  t.deepEqual(waits, [0, 1, 2, 3, 3]);
  await supervisor.release();
});

test('while it waits the pod runs, and its container says CrashLoopBackOff and how it ended', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(one());
  world.runtime.exit('a', 3);
  await world.untilRestart('a');
  world.runtime.exit('a', 4);
  await world.clock.advance(300);
  const {status} = supervisor;
  t.is(status.phase, 'Running');
  t.is(statusWord(status), 'CrashLoopBackOff');
  t.false(isReady(status));
  t.like(status.containers[0], {
    state: {
      kind: 'waiting',
      reason: 'CrashLoopBackOff',
      message: 'back-off 10s restarting failed container=a pod=web_default(uid-1)',
    },
    lastState: {exitCode: 4, reason: 'Error'},
    restartCount: 1,
  });
  await supervisor.release();
});

for (const [policy, exitCode, phase] of [
  ['Never', 0, 'Succeeded'],
  ['Never', 2, 'Failed'],
  ['OnFailure', 0, 'Succeeded'],
] as const) {
  test(`restartPolicy ${policy}: exit code ${exitCode} ends the pod as ${phase}`, async (t) => {
    const world = new World(t);
    const {supervisor} = await world.start(`restartPolicy: ${policy}, ${one()}`);
    world.runtime.exit('a', exitCode);
    await world.clock.advance(1000);
    const {status, end} = await supervisor.ended;
    t.is(status.phase, phase);
    t.is(end, 'ended');
    t.is(statusWord(status), exitCode === 0 ? 'Completed' : 'Error');
    t.is(world.calls('startContainer').length, 1);
  });
}

test('restartPolicy OnFailure starts again what failed, until it ends well', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(`restartPolicy: OnFailure, ${one()}`);
  world.runtime.exit('a', 1);
  t.true((await world.untilRestart('a')) <= 200);
  world.runtime.exit('a', 0);
  await world.clock.advance(1000);
  t.is((await supervisor.ended).status.phase, 'Succeeded');
});

test('a pod with one container that ended and one that runs is Running; it ends with the last', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(
    'restartPolicy: Never, containers: [{name: a, image: host}, {name: b, image: host}]',
  );
  world.runtime.exit('a', 1);
  await world.clock.advance(1000);
  t.is(supervisor.status.phase, 'Running');
  world.runtime.exit('b', 0);
  await world.clock.advance(1000);
  t.is((await supervisor.ended).status.phase, 'Failed');
});

test('the rules of a container come before its policy, and its policy before the pod’s', async (t) => {
  const rules =
    'restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [42]}}]';
  const world = new World(t);
  const {supervisor} = await world.start(`restartPolicy: Never, ${one(rules)}`);
  world.runtime.exit('a', 42);
  t.true((await world.untilRestart('a')) <= 200);
  world.runtime.exit('a', 1);
  await world.clock.advance(1000);
  t.is((await supervisor.ended).status.phase, 'Failed');
  t.is(world.calls('startContainer').length, 2);
});

test('of the containers of one name the last two stay', async (t) => {
  const world = new World(t);
  const removed: string[] = [];
  const {supervisor} = await world.start(one(), {removeLog: (path) => removed.push(path)});
  for (let i = 0; i < 3; i++) {
    world.runtime.exit('a', 1);
    await world.untilRestart('a');
  }
  await settle();
  t.deepEqual(
    [...world.runtime.containers.values()].map(({config}) => config.metadata.attempt),
    [2, 3],
  );
  t.deepEqual(removed, ['/logs/a/0.log', '/logs/a/1.log']);
  await supervisor.release();
});

// ── probes

const exec = (more: string) => `{exec: {command: [check]}, ${more}}`;

test('a liveness probe looks after its delay, each period, and its failures in a row have the container started again', async (t) => {
  const world = new World(t);
  const probe = exec('initialDelaySeconds: 5, periodSeconds: 2, failureThreshold: 3');
  const {supervisor} = await world.start(one(`livenessProbe: ${probe}`));
  await world.clock.advance(4900);
  t.is(world.calls('execSync').length, 0);
  await world.clock.advance(200);
  t.is(world.calls('execSync').length, 1);
  await world.clock.advance(4000);
  t.is(world.calls('execSync').length, 3);
  let answers = [1, 1, 0, 1, 1, 1];
  world.runtime.onExec = () => answers.shift() ?? 0;
  await world.clock.advance(10_000);
  t.is(world.calls('stopContainer').length, 0, 'two failures and a success are no three failures');
  await world.clock.advance(2300);
  t.deepEqual(world.calls('stopContainer'), ['stopContainer a 30']);
  t.is(world.calls('startContainer').length, 2);
  answers = [];
  t.true(world.reasons().includes('Killing a'));
  t.is(world.events.filter(({reason}) => reason === 'Unhealthy').length, 5);
  t.regex(
    world.events.find(({reason}) => reason === 'Killing')?.message ?? '',
    /Container a failed liveness probe, will be restarted/,
  );
  await supervisor.release();
});

test('the grace of a probe is its own', async (t) => {
  const world = new World(t);
  world.runtime.onExec = () => 1;
  const {supervisor} = await world.start(
    one(`livenessProbe: ${exec('periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 3')}`),
  );
  await world.clock.advance(500);
  t.is(world.calls('stopContainer')[0], 'stopContainer a 3');
  await supervisor.release();
});

test('with restartPolicy Never a failed liveness probe ends the pod', async (t) => {
  const world = new World(t);
  world.runtime.onExec = () => 1;
  const {supervisor} = await world.start(
    `restartPolicy: Never, ${one(`livenessProbe: ${exec('failureThreshold: 1')}`)}`,
  );
  await world.clock.advance(1000);
  t.is((await supervisor.ended).status.phase, 'Failed');
});

test('a container is ready by its readiness probe’s thresholds, and never killed for it', async (t) => {
  const world = new World(t);
  let answer = 1;
  world.runtime.onExec = () => answer;
  const {supervisor} = await world.start(
    one(`readinessProbe: ${exec('periodSeconds: 1, successThreshold: 2, failureThreshold: 3')}`),
  );
  const ready = () => isReady(supervisor.status);
  await world.clock.advance(5000);
  t.false(ready());
  t.is(world.calls('stopContainer').length, 0);
  answer = 0;
  await world.clock.advance(1000);
  t.false(ready(), 'one success is not two');
  await world.clock.advance(1000);
  t.true(ready());
  answer = 1;
  await world.clock.advance(2000);
  t.true(ready(), 'two failures are not three');
  await world.clock.advance(1000);
  t.false(ready());
  t.like(
    supervisor.status.conditions.find(({type}) => type === 'Ready'),
    {
      status: false,
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [a]',
    },
  );
  await supervisor.release();
});

test('until the startup probe has succeeded the others wait, and then they look at once', async (t) => {
  const world = new World(t);
  let hasStarted = false;
  world.runtime.onExec = (_, [cmd]) => (cmd === 'up' ? Number(!hasStarted) : 0);
  const probes =
    'startupProbe: {exec: {command: [up]}, periodSeconds: 1, failureThreshold: 30}, ' +
    'livenessProbe: {exec: {command: [live]}, periodSeconds: 5}, readinessProbe: {exec: {command: [ready]}, periodSeconds: 5}';
  const {supervisor} = await world.start(one(probes));
  await world.clock.advance(6000);
  t.is(world.calls('execSync a live').length + world.calls('execSync a ready').length, 0);
  t.is(supervisor.status.containers[0]?.started, false);
  hasStarted = true;
  await world.clock.advance(1100);
  t.is(world.calls('execSync a live').length, 1);
  t.is(supervisor.status.containers[0]?.started, true);
  t.true(isReady(supervisor.status));
  const looks = world.calls('execSync a up').length;
  await world.clock.advance(5000);
  t.is(world.calls('execSync a up').length, looks, 'it does not look again');
  await supervisor.release();
});

test('a startup probe that fails too often has the container started again', async (t) => {
  const world = new World(t);
  world.runtime.onExec = () => 1;
  const {supervisor} = await world.start(one(`startupProbe: ${exec('periodSeconds: 1, failureThreshold: 4')}`));
  await world.clock.advance(3500);
  t.is(world.calls('startContainer').length, 2);
  t.regex(world.events.find(({reason}) => reason === 'Killing')?.message ?? '', /failed startup probe/);
  await supervisor.release();
});

test('a program that cannot be run counts for nothing, one that takes too long is a failure', async (t) => {
  const world = new World(t);
  world.runtime.onExec = () => {
    throw new Error('no such program');
  };
  const {supervisor} = await world.start(one(`livenessProbe: ${exec('periodSeconds: 1, failureThreshold: 1')}`));
  await world.clock.advance(5000);
  t.is(world.calls('stopContainer').length, 0);
  t.true(world.reasons().includes('ProbeWarning a'));
  await supervisor.release();
});

for (const [kind, probe, good, bad, said] of [
  [
    'httpGet',
    '{httpGet: {path: healthz, port: web, httpHeaders: [{name: X, value: v}]}',
    {http: 200},
    {http: 500},
    'HTTP probe failed with statuscode: 500',
  ],
  [
    'tcpSocket',
    '{tcpSocket: {port: 81}',
    {connect: undefined},
    {connect: new Error('connection refused')},
    'connection refused',
  ],
  [
    'grpc',
    '{grpc: {port: 82, service: s}',
    {grpc: 'SERVING'},
    {grpc: 'NOT_SERVING'},
    'service unhealthy (responded with "NOT_SERVING")',
  ],
] as const) {
  test(`a ${kind} probe asks in the pod’s network, and no answer within its timeout is a failure`, async (t) => {
    const world = new World(t);
    const asks: string[] = [];
    let answer: {http?: number; connect?: Error | undefined; grpc?: string} | 'silence' = good;
    const silence = () => new Promise<never>(() => {});
    world.network = {
      http: async ({path, port, headers, scheme, host}) => {
        asks.push(`${scheme} ${host} ${port} ${path} ${headers[0]?.name}`);
        return answer === 'silence' ? silence() : {status: answer.http ?? 0, body: ''};
      },
      connect: async (host, port) => {
        asks.push(`connect ${host} ${port}`);
        if (answer === 'silence') await silence();
        else if (answer.connect) throw answer.connect;
      },
      grpcHealth: async (port, service) => {
        asks.push(`grpc ${port} ${service}`);
        return answer === 'silence' ? silence() : (answer.grpc ?? '');
      },
    };
    const {supervisor} = await world.start(
      one(
        `ports: [{name: web, containerPort: 80}], readinessProbe: ${probe}, periodSeconds: 3, timeoutSeconds: 2, failureThreshold: 1}`,
      ),
    );
    await world.clock.advance(500);
    t.true(isReady(supervisor.status));
    t.is(asks[0], {httpGet: 'HTTP  80 /healthz X', tcpSocket: 'connect  81', grpc: 'grpc 82 s'}[kind]);
    answer = bad;
    await world.clock.advance(3000);
    t.false(isReady(supervisor.status));
    t.is(world.events.at(-1)?.message, `Readiness probe failed: ${said}`);
    answer = good;
    await world.clock.advance(3000);
    t.true(isReady(supervisor.status));
    answer = 'silence';
    await world.clock.advance(4000);
    t.true(isReady(supervisor.status));
    await world.clock.advance(1200);
    t.false(isReady(supervisor.status));
    t.is(world.events.at(-1)?.message, 'Readiness probe failed: no answer within 2 s');
    await supervisor.release();
  });
}

// ── hooks

test('postStart runs after the start and before the next container; one that fails has the container killed and started again', async (t) => {
  const world = new World(t);
  let fails = 1;
  world.runtime.onExec = (_, [cmd]) => (cmd === 'hook' ? Math.max(0, fails--) : 0);
  const spec =
    'containers: [{name: a, image: host, lifecycle: {postStart: {exec: {command: [hook]}}}}, {name: b, image: host}]';
  const {starting} = await world.begin(spec);
  await world.clock.advance(2000);
  const {supervisor} = await starting;
  const order = world.runtime.calls.filter((call) => /^(startContainer|execSync|stopContainer)/.test(call));
  t.deepEqual(order, [
    ...['startContainer a', 'execSync a hook', 'stopContainer a 30'],
    ...['startContainer b', 'startContainer a', 'execSync a hook'],
  ]);
  t.true(world.reasons().includes('FailedPostStartHook a'));
  await supervisor.release();
});

test('without supervision a postStart hook that fails ends the start, and nothing stays', async (t) => {
  const world = new World(t);
  world.runtime.onExec = () => 1;
  const pod = podOf(one('lifecycle: {postStart: {exec: {command: [hook]}}}'));
  const ledger = openLedger(newRoot(t), 1);
  await t.throwsAsync(startPod(world.runtime, pod, {ledger}), {
    code: 'SUBROOT_POST_START_FAILED',
    message: /postStart hook of container a of pod web failed: command ended with exit code 1: said by hook/,
  });
  t.is(world.runtime.containers.size + world.runtime.sandboxes.size, 0);
});

test('preStop runs before the stop signal and takes of the grace, of which 2 s always stay', async (t) => {
  for (const [hookSeconds, left] of [
    [4, 26],
    [29, 2],
    [100, 2],
  ] as const) {
    const world = new World(t);
    world.runtime.onExec = async () => {
      await world.clock.wait(hookSeconds * 1000);
      return 0;
    };
    const {supervisor, ...started} = await world.start(one('lifecycle: {preStop: {exec: {command: [bye]}}}'));
    const failed: string[] = [];
    const stopping = stopPod(
      world.runtime,
      {...started, supervisor},
      {
        clock: world.clock,
        network: () => world.network,
        onHookFailed: (_, why) => failed.push(why),
      },
    );
    await world.clock.untilAwaited();
    await world.clock.advance(31_000);
    await stopping;
    const order = world.runtime.calls.filter((call) => /^(execSync|stopContainer)/.test(call));
    t.deepEqual(order, ['execSync a bye', `stopContainer a ${left}`]);
    t.deepEqual(failed, hookSeconds === 100 ? ['not over within the grace of 30 s'] : []);
  }
});

test('with a grace of 0 nothing is asked: it is killed', async (t) => {
  const world = new World(t);
  const {supervisor, ...started} = await world.start(one('lifecycle: {preStop: {exec: {command: [bye]}}}'));
  await stopPod(world.runtime, {...started, supervisor}, {gracePeriod: 0, network: () => world.network});
  t.is(world.calls('execSync').length, 0);
  t.deepEqual(world.calls('stopContainer'), ['stopContainer a 0']);
});

test('a hook may sleep, or ask by HTTP; any answer is good', async (t) => {
  const world = new World(t);
  let asked = '';
  world.network = {
    ...world.network,
    http: async ({path}) => {
      asked = path;
      return {status: 500, body: ''};
    },
  };
  const hooks = 'lifecycle: {postStart: {httpGet: {port: 80, path: /up}}, preStop: {sleep: {seconds: 5}}}';
  const {supervisor, ...started} = await world.start(one(hooks));
  t.is(asked, '/up');
  const stopping = stopPod(world.runtime, {...started, supervisor}, {clock: world.clock, network: () => world.network});
  await world.clock.untilAwaited();
  await world.clock.advance(4900);
  t.is(world.calls('stopContainer').length, 0);
  await world.clock.advance(200);
  await stopping;
  t.deepEqual(world.calls('stopContainer'), ['stopContainer a 25']);
});

// ── init containers and sidecars

const withInits =
  'initContainers: [{name: i1, image: host}, {name: side, image: host, restartPolicy: Always, startupProbe: {exec: {command: [up]}, periodSeconds: 1}}, {name: i2, image: host}], ' +
  'containers: [{name: a, image: host}]';

test('init containers run in order; a sidecar is waited for until it has started, and stays', async (t) => {
  const world = new World(t);
  let isUp = false;
  world.runtime.onExec = () => Number(!isUp);
  const {starting} = await world.begin(withInits);
  await world.clock.advance(500);
  t.deepEqual(world.calls('startContainer'), ['startContainer i1']);
  world.runtime.exit('i1', 0);
  await world.clock.advance(1500);
  t.deepEqual(world.calls('startContainer'), ['startContainer i1', 'startContainer side']);
  isUp = true;
  await world.clock.advance(1500);
  t.deepEqual(world.calls('startContainer').at(-1), 'startContainer i2');
  t.is(statusWord(world.statuses.at(-1) as PodStatus), 'Init:2/3');
  t.is(world.statuses.at(-1)?.phase, 'Pending');
  world.runtime.exit('i2', 0);
  await world.clock.advance(500);
  const {supervisor} = await starting;
  t.deepEqual(world.calls('startContainer').at(-1), 'startContainer a');
  t.is(supervisor.status.phase, 'Running');
  t.true(isReady(supervisor.status));
  world.runtime.exit('side', 0);
  t.true((await world.untilRestart('side')) <= 200, 'a sidecar is started again');
  await supervisor.release();
});

test('a failed init container is started again with back-off, and the rest waits', async (t) => {
  const world = new World(t);
  const {starting} = await world.begin(
    'initContainers: [{name: i, image: host}], containers: [{name: a, image: host}]',
  );
  await world.clock.advance(200);
  world.runtime.exit('i', 1);
  await world.clock.advance(300);
  world.runtime.exit('i', 1);
  await world.clock.advance(5000);
  t.is(world.calls('startContainer i').length, 2);
  t.is(statusWord(world.statuses.at(-1) as PodStatus), 'Init:CrashLoopBackOff');
  await world.clock.advance(5500);
  t.is(world.calls('startContainer i').length, 3);
  t.is(world.calls('startContainer a').length, 0);
  world.runtime.exit('i', 0);
  await world.clock.advance(500);
  const {supervisor} = await starting;
  t.is(world.calls('startContainer a').length, 1);
  await supervisor.release();
});

test('with restartPolicy Never a failed init container ends the start', async (t) => {
  const world = new World(t);
  const {starting} = await world.begin(
    'restartPolicy: Never, initContainers: [{name: i, image: host}], containers: [{name: a, image: host}]',
  );
  const refused = t.throwsAsync(starting, {
    code: 'SUBROOT_INIT_CONTAINER_FAILED',
    message: /init container i of pod web ended with exit code 5/,
  });
  await world.clock.advance(200);
  world.runtime.exit('i', 5);
  await world.clock.advance(500);
  await refused;
  t.is(world.runtime.containers.size + world.runtime.sandboxes.size, 0);
});

test('when the containers of a job have ended its sidecars are stopped, the last first, and the pod ends', async (t) => {
  const world = new World(t);
  const sidecar = (name: string) => `{name: ${name}, image: host, restartPolicy: Always}`;
  const {supervisor} = await world.start(
    `restartPolicy: Never, initContainers: [${sidecar('s1')}, ${sidecar('s2')}], ${one()}`,
  );
  world.runtime.exit('a', 0);
  await world.clock.advance(1000);
  const {status} = await supervisor.ended;
  t.is(status.phase, 'Succeeded');
  t.is(statusWord(status), 'Completed');
  t.deepEqual(world.calls('stopContainer'), ['stopContainer s2 30', 'stopContainer s1 30']);
});

test('a pod is stopped with its sidecars last, in reverse order', async (t) => {
  const world = new World(t);
  const sidecar = (name: string) => `{name: ${name}, image: host, restartPolicy: Always}`;
  const started = await world.start(
    `initContainers: [${sidecar('s1')}, ${sidecar('s2')}], containers: [{name: a, image: host}, {name: b, image: host}]`,
  );
  await stopPod(world.runtime, started, {gracePeriod: 7});
  t.deepEqual(
    world.calls('stopContainer'),
    ['a', 'b', 's2', 's1'].map((name) => `stopContainer ${name} 7`),
  );
  t.is(world.calls('startContainer').length, 4, 'nothing is started again');
});

test('without supervision a pod with a sidecar starts too, and nobody looks after it', async (t) => {
  const world = new World(t);
  const ledger = openLedger(newRoot(t), 1);
  const pod = podOf(`initContainers: [{name: s, image: host, restartPolicy: Always}], ${one()}`);
  const started = await startPod(world.runtime, pod, {ledger});
  t.false('supervisor' in started);
  t.deepEqual(world.calls('startContainer'), ['startContainer s', 'startContainer a']);
  await removePod(world.runtime, started, {ledger});
  t.is(world.runtime.containers.size, 0);
});

// ── the end

test('activeDeadlineSeconds kills the pod, with its grace', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(`activeDeadlineSeconds: 60, terminationGracePeriodSeconds: 5, ${one()}`);
  await world.clock.advance(59_000);
  t.is(world.calls('stopContainer').length, 0);
  await world.clock.advance(2000);
  t.deepEqual(world.calls('stopContainer'), ['stopContainer a 5']);
  const {status} = await supervisor.ended;
  t.like(status, {phase: 'Failed', reason: 'DeadlineExceeded'});
});

test('what somebody else stops is not started again', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(one());
  world.isStopping = true;
  world.runtime.exit('a', 143);
  await world.clock.advance(1000);
  t.is((await supervisor.ended).end, 'stopped');
  t.is(world.calls('startContainer').length, 1);
});

test('a sandbox that is gone or stopped ends the supervision', async (t) => {
  const world = new World(t);
  const {supervisor, podSandboxId} = await world.start(one());
  await world.runtime.stopPodSandbox({podSandboxId});
  await world.clock.advance(1000);
  t.is((await supervisor.ended).end, 'stopped');
});

test('a container that somebody removed is started again', async (t) => {
  const world = new World(t);
  const {supervisor} = await world.start(one());
  world.runtime.containers.clear();
  t.true((await world.untilRestart('a')) <= 300);
  t.like(supervisor.status.containers[0]?.lastState, {reason: 'ContainerStatusUnknown', exitCode: 137});
  await supervisor.release();
});

test('a first start that fails is told at once; a later one waits and is tried again', async (t) => {
  const world = new World(t);
  world.runtime.broken = 'startContainer';
  await t.throwsAsync(world.start(one()), {message: /injected failure of startContainer a/});
  t.is(world.runtime.containers.size, 0);
  world.runtime.broken = undefined;
  const {supervisor} = await world.start(one());
  world.runtime.broken = 'startContainer';
  world.runtime.exit('a', 1);
  await world.clock.advance(1000);
  t.like(supervisor.status.containers[0], {
    state: {kind: 'waiting', reason: 'CrashLoopBackOff'},
    lastState: {reason: 'StartError', exitCode: 128},
  });
  await world.clock.advance(40_000);
  t.true(world.runtime.containers.size <= 2, 'what could not be started is not kept for ever');
  world.runtime.broken = undefined;
  await world.clock.advance(80_000);
  t.is(statusWord(supervisor.status), 'Running');
  await supervisor.release();
});

test('an abort while an init container waits undoes everything', async (t) => {
  const world = new World(t);
  const controller = new AbortController();
  const {starting} = await world.begin(
    'initContainers: [{name: i, image: host}], containers: [{name: a, image: host}]',
    {
      signal: controller.signal,
    },
  );
  const refused = t.throwsAsync(starting, {code: 'SUBROOT_POD_ABORTED'});
  await world.clock.advance(1000);
  controller.abort(new Error('enough'));
  await world.clock.advance(1000);
  await refused;
  t.is(world.runtime.containers.size + world.runtime.sandboxes.size, 0);
});
