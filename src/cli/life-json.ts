import type {PodLife} from '../node/pod-life.ts';

/** A pod's life as JSON: what nobody knows is null. */
export function lifeJson({supervised, phase, status, ready, restarts, conditions}: PodLife) {
  return {
    supervised,
    phase,
    status,
    ready: ready ?? null,
    restarts,
    conditions:
      conditions?.map(({type, status: holds, reason, message}) => ({
        type,
        status: holds ? 'True' : 'False',
        reason: reason ?? null,
        message: message ?? null,
      })) ?? null,
  };
}
