import {accessSync, constants} from 'node:fs';
import {dirname, resolve} from 'node:path';
import {subrootError} from '../../native-free/errors.ts';
import {type ReportFormat, reportFormats} from '../check/reports/render-report.ts';
import {usageError} from './failure.ts';
import {findNearest} from './nearest.ts';

/** Flags of every command that runs checks and reports. */
export const reportOptions = {
  report: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe:
      'tap, junit, json, sarif, html, markdown or text, into a file with FORMAT=FILE; may be repeated. Without one: text on a terminal, else tap',
  },
  strict: {type: 'boolean', describe: 'count what is inconclusive as a failure'},
  seed: {
    type: 'string',
    requiresArg: true,
    describe: 'names of canaries and random choices: the same seed, the same run',
  },
} as const;

/** Flags of the commands that take a target. */
export const targetOptions = {
  'runtime-handler': {type: 'string', requiresArg: true, describe: 'of a cri: target, the handler of a RuntimeClass'},
  image: {type: 'string', requiresArg: true, describe: 'of a cri: or docker target, an image that it has'},
} as const;

/** Flags that choose checks. */
export const selectionOptions = {
  check: {type: 'string', array: true, requiresArg: true, describe: 'only these checks: ID,ID; may be repeated'},
  group: {type: 'string', array: true, requiresArg: true, describe: 'only these groups, 1 to 8; may be repeated'},
} as const;

/** One place that a report goes to. */
export interface ReportPlace {
  readonly format: ReportFormat | 'text';
  /** Absolute; standard output without one. */
  readonly file?: string;
}

/** The places of `--report` words. Throws SUBROOT_USAGE, and SUBROOT_FILE_UNWRITABLE before anything is run. */
export function reportPlaces(words: readonly string[] | undefined, isJson: boolean): readonly ReportPlace[] {
  const places = (words ?? []).map((word): ReportPlace => {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const format = ['text' as const, ...reportFormats].find((each) => each === name);
    if (format === undefined) {
      const nearest = findNearest(name, ['text', ...reportFormats]);
      throw usageError(
        `--report ${name} is no form of a report`,
        nearest === undefined ? `write one of text, ${reportFormats.join(', ')}` : `did you mean --report ${nearest}?`,
      );
    }
    if (equals < 0) return {format};
    const file = word.slice(equals + 1);
    if (file === '') throw usageError(`--report ${word} names no file`, `write --report ${name}=FILE`);
    return {format, file: resolve(file)};
  });
  const onOutput = places.filter(({file}) => file === undefined).length + (isJson ? 1 : 0);
  if (onOutput > 1)
    throw usageError(
      'more than one report would go to standard output',
      'give all but one of them a file: --report FORMAT=FILE',
    );
  for (const {file} of places) if (file !== undefined) requireWritable(file);
  return places;
}

function requireWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw subrootError(
      'SUBROOT_FILE_UNWRITABLE',
      {path: file, why: (error as NodeJS.ErrnoException).code ?? 'EIO'},
      error,
    );
  }
}

/** Words of a flag that takes several, separated by commas or repeated. */
export function listed(words: readonly string[] | undefined): readonly string[] {
  return (words ?? []).flatMap((word) => word.split(',').map((each) => each.trim())).filter((word) => word !== '');
}
