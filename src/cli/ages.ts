/** `12s`, `5m`, `3h`, `2d`: how long ago a moment was, for people. `at` in nanoseconds since the epoch. */
export function ageOf(at: bigint, now: bigint = BigInt(Date.now()) * 1_000_000n): string {
  const seconds = Number((now - at) / 1_000_000_000n);
  if (seconds < 60) return `${Math.max(0, seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
