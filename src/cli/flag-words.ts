import {usageError} from './failure.ts';

/** The whole number of a flag's value, or undefined when it was not given. `what` is what it counts. Throws SUBROOT_USAGE. */
export function wholeNumber(flag: string, word: string | undefined, what: string, example: number): number | undefined {
  if (word === undefined) return undefined;
  if (!/^\d{1,15}$/.test(word))
    throw usageError(`${flag} ${word} is no number of ${what}`, `write a whole number, such as ${flag} ${example}`);
  return Number(word);
}

/** Seconds of a flag's value, with a fraction or without. Throws SUBROOT_USAGE. */
export function seconds(flag: string, word: string | undefined, example: number): number | undefined {
  if (word === undefined) return undefined;
  const value = Number(/^\d+(\.\d+)?$/.exec(word)?.[0] ?? Number.NaN);
  // Timers hold 31 bits of milliseconds.
  if (!(value <= 2_000_000))
    throw usageError(`${flag} ${word} is no number of seconds`, `write a number, such as ${flag} ${example}`);
  return value;
}

const unitMs: Readonly<Record<string, number>> = {ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000};

/** The moment (milliseconds since the epoch) of a duration before `now`, such as `90s` or `1h30m`, or of an RFC 3339 time. Throws SUBROOT_USAGE. */
export function moment(flag: string, word: string | undefined, now: number): number | undefined {
  if (word === undefined) return undefined;
  const duration = durationOf(word);
  if (duration !== undefined) return now - duration;
  const time = /^\d{4}-\d\d-\d\dT/.test(word) ? Date.parse(word) : Number.NaN;
  if (Number.isNaN(time))
    throw usageError(
      `${flag} ${word} is neither a duration nor a time`,
      `write ${flag} 90s, ${flag} 1h30m or ${flag} 2026-01-31T12:00:00Z`,
    );
  return time;
}

/** Milliseconds of a duration such as `90s`, `1h30m` or `250ms`; undefined for another word. */
function durationOf(word: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(word)) return undefined;
  const parts = [...word.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  return parts.reduce((sum, [, value, unit = 's']) => sum + Number(value) * (unitMs[unit] ?? 0), 0);
}

/** One or two durations, `10s` or `10s,5m`, in milliseconds. Throws SUBROOT_USAGE. */
export function durations(flag: string, word: string, example: string): readonly [number, number?] {
  const [first, second, ...rest] = word.split(',').map(durationOf);
  const hasSecond = word.includes(',');
  // Timers hold 31 bits.
  const isFine = (ms: number | undefined) => ms !== undefined && ms > 0 && ms < 2 ** 31;
  if (first === undefined || !isFine(first) || (hasSecond && !isFine(second)) || rest.length > 0)
    throw usageError(`${flag} ${word} is no duration`, `write ${flag} ${example}`);
  return second === undefined ? [first] : [first, second];
}

/** KEY=VALUE words as an object; a later one of the same key wins. Throws SUBROOT_USAGE. */
export function pairs(flag: string, words: readonly string[] | undefined, example: string): Record<string, string> {
  return Object.fromEntries(
    (words ?? []).map((word) => {
      const equals = word.indexOf('=');
      if (equals < 1) throw usageError(`${flag} ${word} is no ${example}`, `write ${flag} ${example}`);
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}
