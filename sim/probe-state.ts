import type {Probe, ProbeKind} from './life.ts';

/** What one run of a probe found. `unknown`: it could not be run, which counts for nothing. */
export type ProbeResult = 'success' | 'failure' | 'unknown';

/** Where the probe of one container stands. Moments in milliseconds. */
export interface ProbeState {
  /** What counts: changes only when a threshold is reached. */
  readonly verdict: ProbeResult;
  readonly last?: 'success' | 'failure';
  /** How often `last` came in a row. */
  readonly run: number;
  /** Failed: nothing more is asked of this container. */
  readonly onHold: boolean;
  readonly nextAt: number;
  readonly isRunning: boolean;
}

/**
 * The state at the start of a container: nobody is ready who was not asked, and nobody is dead.
 * The first look is when `initialDelaySeconds` are over. Simplified: a kubelet's clock ticks from the pod's start, so its first look comes
 * up to a period later. Source: kubernetes pkg/kubelet/prober/worker.go newWorker, 1.37.
 */
export function newProbeState(kind: ProbeKind, probe: Probe, startedAt: number): ProbeState {
  const verdict = kind === 'liveness' ? 'success' : kind === 'readiness' ? 'failure' : 'unknown';
  const nextAt = startedAt + probe.initialDelaySeconds * 1000;
  return {verdict, run: 0, onHold: false, nextAt, isRunning: false};
}

/** Whether this probe asks at all now: a startup probe until it succeeded, the others after that. */
export function isProbeOpen(kind: ProbeKind, state: ProbeState, hasStarted: boolean): boolean {
  return !state.onHold && !state.isRunning && (kind === 'startup') === !hasStarted;
}

/** The state while a look that began at `now` is under way. */
export function beginProbe(probe: Probe, state: ProbeState, now: number): ProbeState {
  return {...state, isRunning: true, nextAt: now + probe.periodSeconds * 1000};
}

/** The state after it. Source: kubernetes pkg/kubelet/prober/worker.go doProbe, 1.37. */
export function endProbe(kind: ProbeKind, probe: Probe, state: ProbeState, result: ProbeResult): ProbeState {
  const idle = {...state, isRunning: false};
  if (result === 'unknown') return idle;
  const run = state.last === result ? state.run + 1 : 1;
  const counted = {...idle, last: result, run};
  const threshold = result === 'success' ? probe.successThreshold : probe.failureThreshold;
  if (run < threshold) return counted;
  const onHold = result === 'failure' && kind !== 'readiness';
  return {...counted, verdict: result, onHold, run: onHold ? 0 : run};
}
