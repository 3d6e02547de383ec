import {subrootError} from '../../native-free/errors.ts';
import type {BackOffLimits, Pod} from '../../sim/index.ts';
import type {Evidence} from '../node/evidence.ts';
import type {PodNode} from '../node/node.ts';
import type {RunningPod} from '../node/running-pod.ts';
import {ContainerStarts} from './container-starts.ts';
import type {Output} from './output.ts';
import {needsCare, tellEvents, tellUnattended} from './pod-care.ts';
import {PullDisplay} from './pull-display.ts';
import {shownName} from './shown-name.ts';

/** A pod that this command has started, with the proof that its root is nobody outside. */
export interface Started {
  readonly pod: RunningPod;
  readonly spec: Pod;
  readonly evidence: Evidence;
  /** Containers of a pod that is looked after, as they are started. */
  readonly starts: ContainerStarts;
}

export interface StartHooks {
  /** Aborted: nothing more is started, and what was goes again. */
  readonly ended: AbortSignal;
  /** Called when a pod runs and was looked at. */
  readonly onStarted: (started: Started) => void;
  /** Whether a container that has ended already is a mistake: nobody waits for its end. */
  readonly mustStay: boolean;
  /** How pods that need it are looked after; undefined: nobody does. */
  readonly backOff?: Partial<BackOffLimits> | undefined;
}

/** Starts pods one after another: all of them, or none. Errors: as PodNode.runPod's, and SUBROOT_CONTAINER_EXITED. */
export async function startPods(
  node: PodNode,
  specs: readonly Pod[],
  {ended, onStarted, mustStay, backOff}: StartHooks,
  output: Output,
): Promise<readonly Started[]> {
  const running: RunningPod[] = [];
  const all: Started[] = [];
  const display = new PullDisplay();
  try {
    await requireFreeNames(node, specs);
    for (const [index, spec] of specs.entries()) {
      if (specs.length > 1)
        output.progress(`starting pod ${index + 1} of ${specs.length}: ${shownName(spec.metadata)}`);
      const starts = new ContainerStarts(node.runtime.inventory);
      const supervise = backOff && needsCare(spec) ? {backOff, onStarted: starts.add} : false;
      if (mustStay) tellUnattended(spec, output);
      const pod = await node.runPod(spec, {
        signal: ended,
        supervise,
        onPull: display.show,
        onEvent: tellEvents(spec, output),
      });
      running.push(pod);
      const started = {pod, spec, evidence: await pod.evidence(), starts};
      if (mustStay) await requireStillRunning(started, output);
      ended.throwIfAborted();
      all.push(started);
      onStarted(started);
    }
    return all;
  } catch (error) {
    await removePods(running);
    throw error;
  }
}

/** Removes pods, last first; when one cannot be, the others go all the same, and the first error is thrown at the end. */
export async function removePods(pods: readonly RunningPod[]): Promise<void> {
  const failures: unknown[] = [];
  for (const pod of pods.toReversed()) await pod.remove().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** A name that runs already is found before the first pod is started. Throws SUBROOT_POD_NAME_TAKEN. */
async function requireFreeNames(node: PodNode, specs: readonly Pod[]): Promise<void> {
  const there = await node.pods();
  for (const {metadata} of specs) {
    const taken = there.find(
      ({name, namespace, state}) => state === 'Ready' && name === metadata.name && namespace === metadata.namespace,
    );
    if (taken) throw subrootError('SUBROOT_POD_NAME_TAKEN', {name: shownName(metadata), id: taken.id.slice(0, 13)});
  }
}

/** Lines of a container that ended at once that its error shows. */
const LAST_LINES = 5;

/** Nobody waits, so a container that has ended is a mistake of its command, unless the pod says that it may (restartPolicy) and all went well. */
async function requireStillRunning({pod, spec}: Pick<Started, 'pod' | 'spec'>, output: Output): Promise<void> {
  for (const {id, name, role, state, exitCode} of await pod.containers()) {
    if (state !== 'EXITED' || role === 'init') continue;
    if (exitCode === 0 && spec.spec.restartPolicy !== 'Always') {
      output.note(`subroot: container ${name} of pod ${shownName(pod)} has ended already, with exit code 0`);
      continue;
    }
    const container = spec.spec.containers.find((each) => each.name === name);
    const lines = (await pod.logs({container: id})).slice(-LAST_LINES).map(({text}) => text);
    throw subrootError('SUBROOT_CONTAINER_EXITED', {
      container: name,
      pod: pod.name,
      exitCode,
      command: [...(container?.command ?? []), ...(container?.args ?? [])].join(' '),
      output: lines.join(' / ') || 'nothing',
    });
  }
}
