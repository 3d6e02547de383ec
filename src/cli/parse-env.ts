import {usageError} from './failure.ts';

/** NAME=VALUE words as an object; a later one of the same name wins. Throws SUBROOT_USAGE. */
export function parseEnv(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals < 1) throw usageError(`"${word}" is no NAME=VALUE`, 'write --env NAME=VALUE');
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
}
