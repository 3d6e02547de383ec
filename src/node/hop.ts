import {subrootError} from '../../native-free/errors.ts';
import {isProcessAlive} from '../host/proc.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';

/**
 * Options of a plan that runs once and not in the agent: in the modes with an outer namespace it gets there through the holder's parent.
 * Throws SUBROOT_PROCESS_GONE when the pod does not run.
 */
export function hopOf(record: SandboxRecord): Record<string, string> {
  const {holder} = record;
  if (!holder || !isProcessAlive(holder))
    throw subrootError('SUBROOT_PROCESS_GONE', {action: `reach a container of pod ${record.config.metadata.name}`});
  if (record.mode === 'host') return {};
  return {hop: `${holder.pid}:${holder.startTime}`, hopgroups: record.mode === 'single' ? '-' : ''};
}
