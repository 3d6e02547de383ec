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
}

/**
 * Passes on what the containers of pods write, as it comes, until all have ended; answers their ends, pod by pod. Several are told apart
 * by `POD/CONTAINER: ` before each line. Throws the reason of `ended` when that is aborted.
 */
export async function waitForPods(
  pods: readonly Started[],
  inventory: Inventory,
  {ended, stdout}: {readonly ended: AbortSignal; readonly stdout: NodeJS.WriteStream},
): Promise<readonly (readonly ContainerEnd[])[]> {
  const isOne = pods.length === 1 && pods[0]?.spec.spec.containers.length === 1;
  return await Promise.all(
    pods.map(async ({pod, spec}) => {
      const names = new Set(spec.spec.containers.map(({name}) => name));
      const containers = (await pod.containers()).filter(({name}) => names.has(name));
      return await Promise.all(
        containers.map(async ({id, name}) => {
          const prefix = isOne ? '' : `${shownName(pod)}/${name}: `;
          await passOn(inventory, id, new LogWriter({prefix, stdout}), ended);
          const {status} = await inventory.containerStatus({containerId: id});
          return {id, name, exitCode: status.exitCode};
        }),
      );
    }),
  );
}

async function passOn(inventory: Inventory, containerId: string, writer: LogWriter, ended: AbortSignal): Promise<void> {
  const {status} = await inventory.containerStatus({containerId});
  const isOver = async () => {
    ended.throwIfAborted();
    return await hasEnded(inventory, containerId);
  };
  for await (const record of readRecords(status.logPath, isOver)) {
    ended.throwIfAborted();
    writer.write(record);
  }
}
