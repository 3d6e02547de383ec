import {subrootError} from '../../native-free/errors.ts';

/** Rows and columns as the kernel keeps them: 16 bits each. */
const MAX_SIZE = 65_535;

/** Throws SUBROOT_USAGE unless both are whole numbers from 1 to 65535: what the kernel and node-pty do with others is not defined. */
export function requireSize(rows: unknown, columns: unknown): void {
  for (const [name, value] of [
    ['rows', rows],
    ['columns', columns],
  ] as const) {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MAX_SIZE)
      throw subrootError('SUBROOT_USAGE', {
        what: `a terminal cannot have ${String(value)} ${name}`,
        mend: `give a whole number from 1 to ${MAX_SIZE}`,
      });
  }
}

/** Throws SUBROOT_USAGE unless `argv` is a program and its words, none of which the kernel would cut at a zero byte. */
export function requireArgv(argv: unknown): asserts argv is readonly [string, ...string[]] {
  const refuse = (what: string) =>
    subrootError('SUBROOT_USAGE', {what, mend: 'pass the program and its words as an array of strings'});
  if (!Array.isArray(argv) || argv.length === 0) throw refuse('there is no program for the terminal');
  for (const [index, word] of argv.entries()) {
    if (typeof word !== 'string') throw refuse(`word ${index} of the program is a ${typeof word}, not a string`);
    if (word.includes('\0')) throw refuse(`word ${index} of the program has a zero byte`);
  }
  if (argv[0] === '') throw refuse('the name of the program is empty');
}

/** Throws SUBROOT_USAGE unless it is text. */
export function requireText(text: unknown): asserts text is string {
  if (typeof text !== 'string')
    throw subrootError('SUBROOT_USAGE', {what: `a ${typeof text} cannot be typed`, mend: 'write a string'});
}
