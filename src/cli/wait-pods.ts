import type {PodStatus} from '../../sim/index.ts';
import type {Inventory} from '../runtime/inventory.ts';
import {hasEnded} from './container-end.ts';
import {readRecords} from './log-records.ts';
import {LogWriter} from './log-writer.ts';
import {shownName} from './shown-name.ts';
import type {Started} from './start-pods.ts';

/** How a container ended. */
export interface ContainerEnd {
  readonly id: string;
  readonly name: string;
  readonly exitCode: number;
  /** How often it was started again. */
  readonly restarts: number;
}

/**
 * Passes on what the containers of pods write, as it comes, until all have ended for good; answers their ends, pod by pod. Several are
 * told apart by `POD/CONTAINER: ` before each line. Throws the reason of `ended` when that is aborted.
 */
export async function waitForPods(
  pods: readonly Started[],
  inventory: Inventory,
  {ended, stdout}: {readonly ended: AbortSignal; readonly stdout: NodeJS.WriteStream},
): Promise<readonly (readonly ContainerEnd[])[]> {
  const staying = pods.flatMap(({spec: {spec}}) => [
    ...spec.containers,
    ...spec.initContainers.filter(({restartPolicy}) => restartPolicy === 'Always'),
  ]);
  const writers = new Writers({stdout, isOne: staying.length === 1});
  return await Promise.all(
    pods.map((started) =>
      started.pod.supervision
        ? waitSupervised(started, inventory, writers, ended)
        : waitOnce(started, inventory, writers, ended),
    ),
  );
}

/** One writer for each name, so that a line that was cut by a restart stays one. */
class Writers {
  readonly #options: {readonly stdout: NodeJS.WriteStream; readonly isOne: boolean};
  readonly #byName = new Map<string, LogWriter>();

  constructor(options: {readonly stdout: NodeJS.WriteStream; readonly isOne: boolean}) {
    this.#options = options;
  }

  of(pod: Started['pod'], name: string): LogWriter {
    const {stdout, isOne} = this.#options;
    const full = `${shownName(pod)}/${name}`;
    const writer = this.#byName.get(full) ?? new LogWriter({prefix: isOne ? '' : `${full}: `, stdout});
    this.#byName.set(full, writer);
    return writer;
  }
}

async function waitOnce(
  {pod, spec}: Started,
  inventory: Inventory,
  writers: Writers,
  ended: AbortSignal,
): Promise<readonly ContainerEnd[]> {
  const names = new Set(spec.spec.containers.map(({name}) => name));
  const containers = (await pod.containers()).filter(({name}) => names.has(name));
  return await Promise.all(
    containers.map(async ({id, name}) => {
      await passOn(inventory, {id, path: inventory.findContainer(id)?.logPath}, writers.of(pod, name), ended);
      const {status} = await inventory.containerStatus({containerId: id});
      return {id, name, exitCode: status.exitCode, restarts: 0};
    }),
  );
}

async function waitSupervised(
  {pod, spec, starts}: Started,
  inventory: Inventory,
  writers: Writers,
  ended: AbortSignal,
): Promise<readonly ContainerEnd[]> {
  const passing: Promise<void>[] = [];
  const inits = spec.spec.initContainers.filter(({restartPolicy}) => restartPolicy !== 'Always');
  const isShown = (name: string) => !inits.some((init) => init.name === name);
  const last = new Map<string, Promise<void>>();
  const stopListening = starts.listen(({name, id, log}) => {
    if (!isShown(name)) return log.close();
    // One after the other: what the one before has written comes first.
    const before = last.get(name) ?? Promise.resolve();
    const next = before
      .then(() => passOn(inventory, {id, path: log.path}, writers.of(pod, name), ended))
      .finally(() => log.close());
    next.catch(() => undefined);
    last.set(name, next);
    passing.push(next);
  });
  try {
    const over = pod.supervision?.untilEnd();
    const {status} = (await Promise.race([over, abortOf(ended)])) ?? {};
    await Promise.all(passing);
    return endsOf(
      status,
      spec.spec.containers.map(({name}) => name),
    );
  } finally {
    stopListening();
  }
}

function endsOf(status: PodStatus | undefined, names: readonly string[]): readonly ContainerEnd[] {
  return (status?.containers ?? [])
    .filter(({name}) => names.includes(name))
    .map(({name, id = '', state, lastState, restartCount}) => {
      const end = state.kind === 'terminated' ? state : lastState;
      // Stopped from elsewhere before its end was seen.
      return {id, name, exitCode: end?.exitCode ?? 137, restarts: restartCount};
    });
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, {once: true});
    if (signal.aborted) abort();
  });
}

async function passOn(
  inventory: Inventory,
  {id, path}: {readonly id: string; readonly path: string | undefined},
  writer: LogWriter,
  ended: AbortSignal,
): Promise<void> {
  if (path === undefined) return;
  const isOver = async () => {
    ended.throwIfAborted();
    return await hasEnded(inventory, id);
  };
  for await (const record of readRecords(path, isOver)) {
    ended.throwIfAborted();
    writer.write(record);
  }
}
