import {usageError} from './failure.ts';
import {wholeNumber} from './flag-words.ts';

/** Flags that `pods` and `ps` have in common, in crictl's words. */
export const listOptions = {
  quiet: {alias: 'q', type: 'boolean'},
  name: {type: 'string', requiresArg: true, describe: 'only those whose name this regular expression fits'},
  label: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'only those with label KEY=VALUE; repeat to ask for several',
  },
  latest: {alias: 'l', type: 'boolean', describe: 'only the one that was made last'},
  last: {alias: 'n', type: 'string', requiresArg: true, describe: 'only the N that were made last'},
  'no-trunc': {type: 'boolean', describe: 'whole ids'},
} as const;

/** A test of names by the regular expression of a flag; all names fit when it was not given. Throws SUBROOT_USAGE. */
export function nameTest(flag: string, expression: string | undefined): (name: string) => boolean {
  if (expression === undefined) return () => true;
  try {
    const compiled = new RegExp(expression, 'u');
    return (name) => compiled.test(name);
  } catch {
    throw usageError(
      `${flag} ${expression} is no regular expression`,
      `write a part of the name, or ${flag} '^web-[0-9]+$'`,
    );
  }
}

/** How many of the newest are wanted: all, unless --latest or --last says otherwise. Throws SUBROOT_USAGE. */
export function countWanted(flags: {
  readonly latest?: boolean | undefined;
  readonly last?: string | undefined;
}): number | undefined {
  const last = wholeNumber('--last', flags.last, 'things to list', 3);
  return flags.latest ? 1 : last;
}

/** The first 13 digits of an id, as crictl shows it. */
export const shortId = (id: string): string => id.slice(0, 13);
