import test from 'ava';
import fc from 'fast-check';
import {kubeletBackOff, type Pod, parseManifests} from '../../sim/index.ts';
import {PodMachine} from '../../sim/pod-machine.ts';

const handler = {exec: {command: ['x']}};
const policy = fc.constantFrom('Always', 'OnFailure', 'Never');
const probe = fc.option(
  fc.record({
    exec: fc.constant(handler.exec),
    periodSeconds: fc.integer({min: 1, max: 20}),
    failureThreshold: fc.integer({min: 1, max: 3}),
  }),
  {nil: undefined},
);
const container = fc.record({
  image: fc.constant('host'),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: fc.constantFrom(undefined, {postStart: handler}),
  restartPolicy: fc.option(policy, {nil: undefined}),
});
const init = fc.oneof(
  fc.record({image: fc.constant('host'), restartPolicy: fc.constantFrom(undefined, 'Never', 'OnFailure')}),
  container.map((each) => ({...each, restartPolicy: 'Always'})),
);

const anyPod = fc
  .record({
    restartPolicy: policy,
    activeDeadlineSeconds: fc.option(fc.integer({min: 1, max: 500}), {nil: undefined}),
    initContainers: fc.array(init, {maxLength: 3}),
    containers: fc.array(container, {minLength: 1, maxLength: 3}),
  })
  .map(({initContainers, containers, ...spec}): Pod => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {name: 'any'},
      spec: {
        ...spec,
        initContainers: initContainers.map((each, i) => ({name: `i${i}`, ...each})),
        containers: containers.map((each, i) => ({name: `c${i}`, ...each})),
      },
    };
    const [pod] = parseManifests(JSON.stringify(manifest), {file: 'pod.json'}).pods;
    if (!pod) throw new Error('no pod');
    return pod;
  });

/** What a run of the machine may meet next: time, and how what was asked for comes out. */
const fate = fc.record({
  ms: fc.integer({min: 0, max: 400_000}),
  dies: fc.nat(9),
  code: fc.constantFrom(0, 1, 42),
  luck: fc.nat(9),
});

test('whatever happens: init containers first, each container once at a time, and nothing after the end', (t) => {
  fc.assert(
    fc.property(anyPod, fc.array(fate, {minLength: 5, maxLength: 60}), (pod, fates) => {
      let now = 1_000_000;
      const machine = new PodMachine(pod, {limits: kubeletBackOff, startedAt: now});
      const running = new Map<string, {id: string; attempt: number}>();
      const attempts = new Map<string, number>();
      const done = new Set<string>();
      const roles = new Map([
        ...pod.spec.initContainers.map(
          ({name, restartPolicy}) => [name, restartPolicy === 'Always' ? 'sidecar' : 'init'] as const,
        ),
      ]);
      let isOver = false;
      const end = (name: string, exitCode: number) => {
        const {id, attempt} = running.get(name) ?? {id: '', attempt: -1};
        running.delete(name);
        if (exitCode === 0) done.add(name);
        machine.take({
          kind: 'ended',
          name,
          end: {id, attempt, exitCode, reason: 'x', message: '', startedAt: 0, finishedAt: now},
        });
      };
      for (const {ms, dies, code, luck} of fates) {
        for (let round = 0; round < 20; round++) {
          const decision = machine.decide(now);
          if (isOver && decision.tasks.length > 0) return false;
          isOver ||= decision.isOver;
          if (isOver && running.size > 0) return false;
          if (decision.wakeAt !== undefined && decision.wakeAt <= now) return false;
          for (const task of decision.tasks) {
            const {name} = task.container;
            if (task.kind === 'start') {
              // One at a time, in attempts without a gap, and the pod's own containers after all init containers.
              if (running.has(name) || task.attempt !== (attempts.get(name) ?? -1) + 1) return false;
              const pending = pod.spec.initContainers.some((each) =>
                roles.get(each.name) === 'init' ? !done.has(each.name) : !attempts.has(each.name),
              );
              if (!roles.has(name) && pending) return false;
              if (roles.get(name) === 'init' && done.has(name)) return false;
              attempts.set(name, task.attempt);
              const id = `${name}-${task.attempt}`;
              if (luck === 0 && task.attempt > 0) machine.take({kind: 'startFailed', name, message: 'no', at: now});
              else {
                running.set(name, {id, attempt: task.attempt});
                machine.take({kind: 'started', name, id, at: now});
                machine.take({kind: 'hooked', name, id, ...(luck === 1 && {failure: 'no'})});
              }
            } else if (task.kind === 'stop') {
              if (running.get(name)?.id !== task.id || task.grace < 0) return false;
              end(name, 143);
            } else {
              if (running.get(name)?.id !== task.id) return false;
              machine.take({
                kind: 'probed',
                name,
                id: task.id,
                probe: task.probe,
                result: luck < 4 ? 'failure' : luck < 5 ? 'unknown' : 'success',
                output: '',
              });
            }
          }
          if (decision.tasks.length === 0) break;
        }
        machine.takeEvents();
        const {phase, containers} = machine.status(now);
        if (phase === 'Succeeded' && running.size > 0 && [...running.keys()].some((name) => !roles.has(name)))
          return false;
        if (containers.some(({ready, state}) => ready && state.kind === 'waiting')) return false;
        now += ms;
        const victim = [...running.keys()][dies];
        if (victim !== undefined) end(victim, code);
      }
      return true;
    }),
    {numRuns: 500},
  );
  t.pass();
});
