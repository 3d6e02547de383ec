import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {isProcessAlive, startTimeOf} from '../../src/host/proc.ts';
import {createNode, SubrootError} from '../../src/index.ts';
import {ChildNode} from '../helpers/child-node.ts';
import {contentsOf, hostTest, until} from '../helpers/host-test.ts';
import {exitOf, initOf, sh} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';

const rootTest = hostTest('root', 'userns', 'perl');

const volume = {
  volumes: [{name: 'v', emptyDir: {}}],
  containers: [
    {name: 'a', volumeMounts: [{name: 'v', mountPath: '/v'}]},
    {name: 'b', command: ['sh', '-c', 'while :; do echo line; sleep 0.05; done']},
  ],
};

function identityOf(pid: number): {pid: number; startTime: string} {
  return {pid, startTime: startTimeOf(pid) ?? ''};
}

// ── bound

rootTest.serial(
  'when a process is killed, its bound pods, prepared blocks and warm sandboxes leave no trace',
  async (t) => {
    const lab = await makeLab(t);
    const child = await ChildNode.open(t, {...lab.options, prepare: {ranges: 2, sandboxes: 2}}, lab.child);
    const pods = [
      await child.run(volume),
      await child.run(volume),
      await child.run({hostUsers: true}),
      await child.run(),
    ];
    await child.call('prepare', {ranges: 1, sandboxes: 1});
    await child.sh(pods[0]?.name ?? '', 'echo kept > /v/file');
    void child.call('exec', pods[1]?.name, ['sleep', '1000000'], {}).catch(() => {});
    await until('the program runs', () => lab.processes().some((line) => line.includes('sleep 1000000')));
    const holders = pods.map(({pid}) => identityOf(pid));
    t.true(lab.files().length > 10);
    await child.kill();
    await lab.untilNothingIsLeft('the process was killed');
    for (const holder of holders) t.false(isProcessAlive(holder));
  },
);

rootTest.serial('a process that ends without closing its node leaves no trace either', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, lab.options, lab.child);
  await child.run(volume);
  process.kill(child.pid, 'SIGTERM');
  t.is((await child.exited).signal, 'SIGTERM');
  await lab.untilNothingIsLeft('the process ended');
});

rootTest.serial('close removes the pods of the node and everything that was prepared', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, {...lab.options, prepare: {ranges: 2, sandboxes: 2}}, lab.child);
  await child.run(volume);
  await child.run();
  await child.call('close');
  lab.spared.add(child.pid);
  t.deepEqual(lab.left(), []);
});

rootTest.serial('when the agent is killed, its pods die and every call says so', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, lab.options, lab.child);
  lab.spared.add(child.pid);
  const pod = await child.run(volume);
  const holder = identityOf(pod.pid);
  process.kill(child.agentPid, 'SIGKILL');
  await until('the pod is dead', () => !isProcessAlive(holder), {deadlineMs: 10_000});
  await until('no process of it is left', () => lab.processes().length === 0, {
    deadlineMs: 10_000,
    seen: () => lab.processes().join('\n'),
  });
  await t.throwsAsync(child.run({name: 'late'}), {
    code: 'SUBROOT_AGENT_FAILED',
    message: /the agent stopped answering: it ended/,
  });
  await t.throwsAsync(child.call('exec', pod.name, ['true'], {}), {
    code: 'SUBROOT_WRONG_STATE',
    message: /container \w{13} is EXITED; Exec needs it RUNNING/,
  });
  const [seen] = await child.call<{state: string}[]>('pods');
  t.is(seen?.state, 'NotReady');
  await child.kill();
});

rootTest.serial('what a killed process and its killed agent left is removed by the next gc', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, {...lab.options, prepare: {ranges: 2, sandboxes: 1}}, lab.child);
  await child.run(volume);
  await child.run();
  process.kill(child.agentPid, 'SIGKILL');
  await child.kill();
  await until('no process is left', () => lab.processes().length === 0, {
    deadlineMs: 10_000,
    seen: () => lab.processes().join('\n'),
  });
  t.true(lab.files().length > 5);
  await using node = await createNode(lab.options);
  const planned = await node.gc({dryRun: true});
  const before = lab.files();
  t.deepEqual(
    planned.removed.filter(({kind}) => kind === 'pod').map(({why}) => why),
    Array(2).fill('the process it was bound to is dead'),
  );
  t.deepEqual(lab.files(), before, 'a dry run changes nothing');
  const report = await node.gc();
  t.is(report.removed.filter(({kind}) => kind === 'pod').length, 2);
  t.deepEqual(report.quarantined, []);
  t.deepEqual(lab.files(), []);
  t.deepEqual((await node.gc()).removed, []);
});

rootTest.serial('the name of a pod whose process and agent were killed can be taken again at once', async (t) => {
  const lab = await makeLab(t);
  const child = await ChildNode.open(t, lab.options, lab.child);
  const before = await child.run({name: 'web'});
  process.kill(child.agentPid, 'SIGKILL');
  await child.kill();
  await using node = await createNode(lab.options);
  await until('the pod is dead', () => !isProcessAlive(identityOf(before.pid)));
  const pod = await node.runPod({name: 'web'});
  t.not(pod.id, before.id);
  t.is(node.pod('web').id, pod.id);
  await node.gc();
  t.is(await sh(pod, 'echo on'), 'on');
});

// ── detached

rootTest.serial(
  'a detached pod outlives its process and agent, and another process execs in it and removes it',
  async (t) => {
    const lab = await makeLab(t);
    const options = {...lab.options, lifetime: 'detached'} as const;
    const child = await ChildNode.open(t, options, lab.child);
    const started = await child.run({...volume, name: 'web'});
    process.kill(child.agentPid, 'SIGKILL');
    await child.kill();
    await using node = await createNode(options);
    const pod = node.pod('web');
    t.is(pod.id, started.id);
    t.deepEqual(pod.block, started.block);
    t.deepEqual(
      (await pod.containers()).map(({name, state}) => [name, state]),
      [
        ['a', 'RUNNING'],
        ['b', 'RUNNING'],
      ],
    );
    t.is(await sh(pod, 'echo still here'), 'still here');
    const count = (await pod.logs({container: 'b'})).length;
    await until('its log goes on', async () => (await pod.logs({container: 'b'})).length > count);
    t.deepEqual((await node.gc()).removed, []);
    await pod.remove();
    t.deepEqual(lab.files(), []);
  },
);

rootTest.serial('a detached container whose supervisor was killed is EXITED, and its status says why', async (t) => {
  const lab = await makeLab(t);
  await using node = await createNode({...lab.options, lifetime: 'detached'});
  const pod = await node.runPod({});
  const containerId = await pod.containerId();
  const init = identityOf(await initOf(pod));
  const supervisor = node.runtime.store.readContainer(containerId)?.supervisor?.pid ?? -1;
  // Empty for a moment: it has become another program.
  await until('it is a supervisor', () => /supervis/.test(readFileSync(`/proc/${supervisor}/cmdline`, 'latin1')));
  process.kill(supervisor, 'SIGKILL');
  await until('the program died with it', () => !isProcessAlive(init), {deadlineMs: 10_000});
  t.is(await exitOf(pod), 255);
  const {status} = await node.runtime.containerStatus({containerId});
  t.is(status.reason, 'Error');
  t.is(status.message, 'its supervisor was killed, and the exit code with it');
  t.true(status.finishedAt > 0n);
  await pod.remove();
});

rootTest.serial('the supervisor of a detached container is small, and there is one per container', async (t) => {
  const lab = await makeLab(t);
  await using node = await createNode({...lab.options, lifetime: 'detached'});
  const pod = await node.runPod({containers: [{name: 'a'}, {name: 'b'}]});
  const supervisors = lab.processes().filter((line) => /supervis/.test(line));
  t.is(supervisors.length, 2, supervisors.join('\n'));
  await pod.remove();
  await until('they end with it', () => !lab.processes().some((line) => /supervis/.test(line)));
});

rootTest.serial('gc removes what is nobody’s and leaves every live pod alone', async (t) => {
  const lab = await makeLab(t);
  const options = {...lab.options, lifetime: 'detached'} as const;
  await using node = await createNode(options);
  const live = await node.runPod({...volume, name: 'live'});
  const child = await ChildNode.open(t, lab.options, lab.child);
  lab.spared.add(child.pid);
  const bound = await child.run({name: 'bound'});
  const doomed = await ChildNode.open(t, lab.options, lab.child);
  await doomed.run({name: 'doomed'});
  process.kill(doomed.agentPid, 'SIGKILL');
  await doomed.kill();
  // Leftovers of other kinds: folders without a record, a name of nobody.
  const {store} = node.runtime;
  for (const kind of ['sandboxes', 'containers']) {
    const path = join(lab.root, kind, 'e'.repeat(64));
    mkdirSync(path);
    utimesSync(path, 1, 1);
    // This one is of a process that is about to write its record.
    mkdirSync(join(lab.root, kind, 'c'.repeat(64)));
  }
  writeFileSync(join(lab.root, 'names', 'f'.repeat(40)), `${'d'.repeat(64)} 1 1`);
  await until('the doomed pod is dead', async () =>
    (await node.pods()).some(({name, state}) => name === 'doomed' && state === 'NotReady'),
  );
  const {removed, quarantined} = await node.gc();
  t.deepEqual(quarantined, []);
  t.deepEqual(removed.map(({kind}) => kind).sort(), ['container', 'name', 'pod', 'sandbox'], JSON.stringify(removed));
  t.deepEqual((await node.pods()).map(({name, state}) => `${name} ${state}`).sort(), ['bound Ready', 'live Ready']);
  t.is(await sh(live, 'echo alive'), 'alive');
  t.is(await child.sh('bound', 'echo alive'), 'alive');
  const blocks = readdirSync(join(lab.root, 'ledger', 'blocks')).map(Number);
  t.deepEqual(blocks.sort(), [live.block?.first ?? 0, bound.block?.first ?? 0].sort());
  t.true(existsSync(store.sandboxFolder(live.id)));
  for (const kind of ['sandboxes', 'containers']) {
    t.deepEqual(
      readdirSync(join(lab.root, kind)).filter((name) => /^[ce]+$/.test(name)),
      ['c'.repeat(64)],
    );
    rmSync(join(lab.root, kind, 'c'.repeat(64)), {recursive: true});
  }
  await child.kill();
});

// ── killed at any time

/** Small, fast, seeded: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) % 4_294_967_296;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

for (const lifetime of ['bound', 'detached'] as const) {
  rootTest.serial(
    `a ${lifetime} node that is killed at any moment leaves nothing but whole pods after gc`,
    async (t) => {
      const seed = Number(process.env.SUBROOT_SEED ?? 20_261_122);
      const random = seeded(seed + (lifetime === 'bound' ? 0 : 1));
      const lab = await makeLab(t);
      const options = {...lab.options, lifetime};
      await using node = await createNode({...lab.options, lifetime: 'detached'});
      lab.spared.add(node.runtime.agent.pid);
      for (let round = 0; round < 20; round++) {
        const child = await ChildNode.open(t, options, lab.child);
        void child.call('churn', {...volume, terminationGracePeriodSeconds: 0} as never).catch(() => {});
        await until('the first pod was made', () => child.stderr.includes('.'));
        await sleep(random() * 60);
        if (random() < 0.3) process.kill(child.agentPid, 'SIGKILL');
        await child.kill();
        const where = `round ${round}, seed ${seed}`;
        const problems = async () => {
          const pods = await node.pods();
          const owned = pods.map(({block}) => block?.first ?? 0);
          const ready = pods.filter(({state}) => state === 'Ready');
          const running = ready.map(({block}) => block?.first ?? 0);
          const claimed = readdirSync(join(lab.root, 'ledger', 'blocks')).map(Number);
          return [
            ...lab.processes().filter(
              // A supervisor is in the machine's own namespace; its pod's state folder is in its words.
              (line) =>
                !running.some((first) => line.includes(` ${first} `)) && !(ready.length > 0 && /supervis/.test(line)),
            ),
            ...claimed
              .filter((first) => !owned.includes(first))
              .map(
                (first) => `block ${first} of nobody: ${contentsOf(join(lab.root, 'ledger/blocks', String(first)))}`,
              ),
            ...owned.filter((first) => !claimed.includes(first)).map((first) => `block ${first} is not claimed`),
            ...ready.filter(({containers}) => containers.length !== 2).map(({name}) => `half a pod: ${name}`),
            ...(lifetime === 'bound' ? ready.map(({name}) => `a bound pod outlived its process: ${name}`) : []),
          ];
        };
        const found = await until(
          'gc finds everything',
          async () => {
            const {quarantined} = await node.gc();
            t.deepEqual(quarantined, [], where);
            return (await problems()).length === 0;
          },
          // The kernel ends a pid namespace when all in it were waited for, and this machine's pid 1 takes its time.
          {deadlineMs: 15_000},
        ).catch((error: unknown) => error);
        if (found !== true)
          return t.fail(
            `${where}: ${found instanceof Error ? found.stack : found}; left are\n${(await problems()).join('\n')}`,
          );
        for (const {id, state} of await node.pods()) {
          const pod = node.pod(id);
          if (state === 'Ready') {
            const said = await sh(pod, 'echo whole', {container: 'a'}).catch(async (error: unknown) => {
              // Its removal had begun: the kernel was still at it.
              const now = (await node.pods()).find((each) => each.id === id);
              if (now?.state === 'Ready') throw error;
              return 'whole';
            });
            t.is(said, 'whole', where);
          }
          await pod.remove();
        }
        t.deepEqual(await node.pods(), [], where);
        // A folder without a record might be of a start that goes on; gc waits a moment before it takes it.
        const isEmpty = async () => lab.files().length === 0 || ((await node.gc()) && lab.files().length === 0);
        await until(`nothing is left (${where})`, isEmpty, {deadlineMs: 8000, seen: () => lab.files().join(', ')});
      }
    },
  );
}

rootTest.serial('errors of a node that was closed are ours', async (t) => {
  const lab = await makeLab(t);
  const node = await createNode(lab.options);
  await node.close();
  await node.close();
  const error = await t.throwsAsync(node.runPod({}), {instanceOf: SubrootError});
  t.is((error as SubrootError).code, 'SUBROOT_USAGE');
  t.regex(error?.message ?? '', /this node is closed/);
  t.deepEqual(lab.files(), []);
});
