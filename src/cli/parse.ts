import yargs, {type Argv} from 'yargs';
import {printable} from '../../native-free/errors.ts';
import type {CommandEntry, CommandModule, CommandOptions} from './command.ts';
import {usageError} from './failure.ts';
import {globalOptions, globalOptionsOf} from './globals.ts';
import {findNearest} from './nearest.ts';

type Globals = {readonly [Name in keyof typeof globalOptions]?: string | boolean} & {
  readonly root?: string;
  readonly 'image-store'?: string;
};

export interface ParsedCommand {
  readonly globals: Globals;
  readonly flags: Record<string, never>;
  readonly words: readonly string[];
  readonly rest: readonly string[];
  /** Throws SUBROOT_USAGE when there are fewer or more words than the usage line allows. */
  checkWords(): void;
}

/** The words of one command, parsed by yargs. Throws SUBROOT_USAGE for what it does not know. */
export function parseCommand(entry: CommandEntry, command: CommandModule, argv: readonly string[]): ParsedCommand {
  const where = `subroot ${entry.name}`;
  const known = {...globalOptionsOf(command), ...command.options};
  const parser = parserOf(argv, where, known, entry.passThrough === true);
  const parsed = parser.parseSync() as Record<string, unknown>;
  refuseTwice(parsed, known, where);
  const own = (parsed._ as readonly unknown[]).map(String);
  const afterDashes = (parsed['--'] as readonly unknown[] | undefined)?.map(String) ?? [];
  const max = wordLimit(entry.usage);
  // With halt-at-non-option, everything from the first word on stands where the words behind `--` do.
  const all = entry.passThrough === true ? [...own, ...afterDashes] : own;
  const words = entry.passThrough === true ? all.slice(0, max) : own;
  const behind = all.slice(max);
  return {
    globals: parsed as Globals,
    flags: parsed as Record<string, never>,
    words,
    rest: entry.passThrough === true ? behind.slice(behind[0] === '--' ? 1 : 0) : afterDashes,
    checkWords: () => checkWords(entry, words),
  };
}

/** Checks a command line that has no command: only flags of every command may stand there. */
export function parseGlobals(argv: readonly string[]): void {
  parserOf(argv, 'subroot', globalOptions, false).parseSync();
}

function parserOf(argv: readonly string[], where: string, known: CommandOptions, passThrough: boolean): Argv {
  return yargs([...argv], process.cwd())
    .locale('en')
    .scriptName(where)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'halt-at-non-option': passThrough,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
      'strip-aliased': true,
    })
    .help(false)
    .version(false)
    .exitProcess(false)
    .options(known)
    .strictOptions()
    .fail((message, error) => {
      // YError is yargs' own finding about the words; anything else is an exception on its way.
      throw error === undefined || error === null || error.name === 'YError'
        ? asUsageError(message ?? error?.message ?? '', where, known)
        : error;
    });
}

/** yargs tells its findings as English text; the locale is fixed, and the tests hold every one of these. */
function asUsageError(message: string, where: string, known: CommandOptions): Error {
  const help = `see \`${where} --help\``;
  const unknown = /^Unknown arguments?: (.*)$/m.exec(message)?.[1]?.split(', ')[0];
  if (unknown !== undefined) {
    const nearest = findNearest(unknown, namesOf(known));
    const dashes = unknown.length === 1 ? '-' : '--';
    return usageError(
      `\`${where}\` has no flag ${dashes}${unknown}`,
      nearest === undefined ? help : `did you mean ${nearest.length === 1 ? '-' : '--'}${nearest}?`,
    );
  }
  const choice = /Argument: (.*), Given: (.*), Choices: (.*)$/m.exec(message);
  if (choice !== null) {
    const [, name = '', given = '', choices = ''] = choice;
    return usageError(`--${name} cannot be ${given}`, `choose one of ${choices.replaceAll('"', '')}`);
  }
  const lacking = /^Not enough arguments following: (.*)$/m.exec(message)?.[1];
  if (lacking !== undefined) return usageError(`--${lacking} has no value`, help);
  return usageError(message.trim().replaceAll('\n', ' '), help);
}

function namesOf(known: CommandOptions): string[] {
  return Object.entries(known).flatMap(([name, option]) => [name, ...[option.alias ?? []].flat()]);
}

/** A flag given twice is a mistake that yargs would turn into a list. */
function refuseTwice(parsed: Record<string, unknown>, known: CommandOptions, where: string): void {
  for (const [name, option] of Object.entries(known)) {
    if (option.array !== true && option.type !== 'array' && option.type !== 'count' && Array.isArray(parsed[name]))
      throw usageError(`--${name} is given twice`, `give it once; see \`${where} --help\``);
  }
}

function wordLimit(usage: string): number {
  if (usage === '') return 0;
  const words = usage.split(' ');
  return words.some((word) => word.includes('..')) ? Number.POSITIVE_INFINITY : words.length;
}

function checkWords(entry: CommandEntry, words: readonly string[]): void {
  const where = `subroot ${entry.name}`;
  const wanted = entry.usage === '' ? [] : entry.usage.split(' ');
  const missing = wanted.filter((word) => word.startsWith('<'))[words.length];
  if (missing !== undefined)
    throw usageError(`\`${where}\` needs ${missing}`, `write \`${where} ${entry.usage}\`; see \`${where} --help\``);
  const extra = words[wordLimit(entry.usage)];
  if (extra !== undefined)
    throw usageError(
      `\`${where}\` does not take "${printable(extra)}"`,
      wanted.length === 0 ? `write \`${where}\` with flags only` : `write \`${where} ${entry.usage}\``,
    );
}
