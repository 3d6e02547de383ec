// From their own files: the index brings a YAML parser and the whole of the kubelet's part, which a listing does not need.
import {stopWishesOf} from '../../sim/life-annotations.ts';
import {isReady, type PodCondition, type PodPhase, type PodStatus, statusWord} from '../../sim/pod-status.ts';
import {isProcessAlive} from '../host/proc.ts';
import type {Inventory} from '../runtime/inventory.ts';
import type {SandboxRecord, SupervisionRecord} from '../runtime/state-store.ts';

/** What can be said of a pod's life. Only who looks after it knows its conditions; without one the containers' states say the rest. */
export interface PodLife {
  /** A process that lives looks after it: probes are run, and what ends is started again. */
  readonly supervised: boolean;
  readonly phase: PodPhase;
  /** As kubectl's STATUS: the phase, or why a container waits or how it ended. */
  readonly status: string;
  /** How many containers are ready, of how many that stay; undefined: nobody looked. */
  readonly ready?: {readonly count: number; readonly total: number};
  /** Of all containers together. */
  readonly restarts: number;
  /** Undefined: nobody looked. */
  readonly conditions?: readonly PodCondition[];
}

/** What the one who looks after a pod says, if he lives or the pod has ended; else what its containers show. */
export function lifeOf(inventory: Inventory, record: SandboxRecord): PodLife {
  return toldLife(readSupervision(inventory, record.id)) ?? seenLife(inventory, record);
}

function readSupervision(inventory: Inventory, sandboxId: string): SupervisionRecord | undefined {
  try {
    return inventory.store.readSupervision(sandboxId);
  } catch {
    // Damaged: nothing is known.
    return undefined;
  }
}

function toldLife(told: SupervisionRecord | undefined): PodLife | undefined {
  if (!told || !(told.isOver || isProcessAlive(told.owner))) return undefined;
  const status = told.status as PodStatus;
  const staying = status.containers.filter(({role}) => role !== 'init');
  return {
    supervised: !told.isOver,
    phase: status.phase,
    status: isReady(status) ? 'Running' : statusWord(status),
    ready: {count: staying.filter(({ready}) => ready).length, total: staying.length},
    restarts: status.containers.reduce((sum, {restartCount}) => sum + restartCount, 0),
    conditions: status.conditions,
  };
}

/** Nobody starts anything again: what has ended has ended. */
function seenLife(inventory: Inventory, record: SandboxRecord): PodLife {
  const all = inventory.currentContainers(record.id);
  const apps = all.filter(({config}) => stopWishesOf(config.annotations ?? {}).role === 'app');
  const states = apps.map((container) => inventory.stateOf(container));
  const restarts = all.reduce((sum, {config}) => sum + config.metadata.attempt, 0);
  const known = {supervised: false, restarts};
  if (states.includes('CONTAINER_RUNNING')) return {...known, phase: 'Running', status: 'Running'};
  if (states.length === 0 || states.includes('CONTAINER_CREATED'))
    return {...known, phase: 'Pending', status: 'Pending'};
  const failed = apps.some(
    (container) => container.startError !== undefined || inventory.store.readExit(container.id)?.exitCode !== 0,
  );
  return failed ? {...known, phase: 'Failed', status: 'Error'} : {...known, phase: 'Succeeded', status: 'Completed'};
}
