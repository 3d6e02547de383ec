/** How long a container that keeps ending waits before it is started again, in milliseconds. */
export interface BackOffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The kubelet's: 10 s, doubled each time, at most 5 min. Source: kubernetes pkg/kubelet/kubelet.go MaxCrashLoopBackOff, 1.37. */
export const kubeletBackOff: BackOffLimits = {firstMs: 10_000, mostMs: 300_000};

/** The delay that counts now, and when the container was last started after a wait. */
export interface BackOff {
  readonly delayMs: number;
  readonly updatedAt: number;
}

/** A container that ran for twice the longest delay is a new case. */
function isExpired(backOff: BackOff, endedAt: number, limits: BackOffLimits): boolean {
  return endedAt - backOff.updatedAt > 2 * limits.mostMs;
}

/**
 * The moment from which a container that ended at `endedAt` may be started again; the first time it is that moment itself.
 * Source: client-go util/flowcontrol/backoff.go IsInBackOffSince, 1.37.
 */
export function restartableAt(backOff: BackOff | undefined, endedAt: number, limits: BackOffLimits): number {
  if (!backOff || isExpired(backOff, endedAt, limits)) return endedAt;
  return endedAt + backOff.delayMs;
}

/** The delay after a start at `now`. Source: client-go util/flowcontrol/backoff.go Next, 1.37. */
export function nextBackOff(
  backOff: BackOff | undefined,
  endedAt: number,
  now: number,
  limits: BackOffLimits,
): BackOff {
  if (!backOff || isExpired(backOff, endedAt, limits)) return {delayMs: limits.firstMs, updatedAt: now};
  return {delayMs: Math.min(backOff.delayMs * 2, limits.mostMs), updatedAt: now};
}
