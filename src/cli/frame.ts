import {imageStoreRoot} from '../images/store-root.ts';
import {stateRoot} from '../state-root.ts';
import type {CommandContext, CommandEntry, CommandModule, ModeChoice, OutputFormat} from './command.ts';
import {commands, findCommand} from './commands.ts';
import {exitCodes} from './exit-codes.ts';
import {findCommandIndex} from './globals.ts';
import {commandHelp, overviewHelp} from './help.ts';
import {openOutput} from './output.ts';

/**
 * Runs one command line (without node and script) and answers the exit code. Prints results to standard output, errors to standard error.
 * Never throws; whatever a command throws is printed as an error with its code.
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endQuietly);
  const asked = {format: formatAsked(argv), debug: argv.includes('--debug')};
  try {
    return await dispatch(argv);
  } catch (error) {
    const {printFailure} = await import('./failure.ts');
    return printFailure(error, asked);
  }
}

/** The reader closed the pipe (`| head`): nothing is left to say, and nobody to say it to. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? exitCodes.ok);
  throw error;
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const index = findCommandIndex(argv);
  const name = argv[index];
  if (name === undefined) return withoutCommand(argv);
  const before = argv.slice(0, index);
  const entry = name === 'help' ? undefined : findCommand(name);
  if (entry === undefined) {
    if (name === 'help') return dispatchHelp(argv.slice(index + 1));
    if (before.length > 0) (await import('./parse.ts')).parseGlobals(before);
    throw await unknownCommand(name);
  }
  // Both will be needed, and files are read faster together than one after another.
  const [loaded] = await Promise.all([entry.load(), import('./parse.ts')]);
  return runCommand(entry, loaded, [...before, ...argv.slice(index + 1)]);
}

function dispatchHelp(words: readonly string[]): number | Promise<number> {
  const [word] = words;
  return word === undefined || word.startsWith('-') ? withoutCommand(['--help']) : dispatch([word, '--help']);
}

async function withoutCommand(argv: readonly string[]): Promise<number> {
  if (argv.includes('--version') || argv.includes('-V'))
    return dispatch(['version', ...argv.filter((word) => word !== '--version' && word !== '-V')]);
  const isHelp = asksForHelp(argv);
  if (!isHelp && argv.length > 0) (await import('./parse.ts')).parseGlobals(argv);
  const output = openOutput('table', argv.includes('--no-color'));
  const text = overviewHelp(commands, output);
  if (isHelp) {
    output.print(text);
    return exitCodes.ok;
  }
  output.note(text);
  return exitCodes.usage;
}

async function unknownCommand(name: string): Promise<Error> {
  const {usageError} = await import('./failure.ts');
  const {findNearest} = await import('./nearest.ts');
  const nearest = findNearest(name, [...commands.map((entry) => entry.name), 'help']);
  const mend = nearest === undefined ? 'see `subroot --help` for the commands' : `did you mean \`subroot ${nearest}\`?`;
  return usageError(`there is no command "${name}"`, mend);
}

async function runCommand(entry: CommandEntry, command: CommandModule, argv: readonly string[]): Promise<number> {
  if (entry.passThrough !== true && asksForHelp(argv)) return showHelp(entry, command, argv);
  const {parseCommand} = await import('./parse.ts');
  const parsed = parseCommand(entry, command, argv);
  const format = parsed.globals.output as OutputFormat;
  const output = openOutput(format, parsed.globals['no-color'] === true);
  if (parsed.globals.help === true) return showHelp(entry, command, argv);
  if (parsed.globals.schema === true) {
    if (command.schema === undefined)
      throw (await import('./failure.ts')).usageError(`\`subroot ${entry.name}\` prints no JSON`, 'leave --schema out');
    output.print(JSON.stringify(command.schema, null, 2));
    return exitCodes.ok;
  }
  parsed.checkWords();
  const context: CommandContext = {
    output,
    format,
    root: stateRoot(parsed.globals.root),
    imageStore: imageStoreRoot({imageStore: parsed.globals['image-store'], root: parsed.globals.root}),
    mode: parsed.globals.mode as ModeChoice,
    debug: parsed.globals.debug === true,
    commands,
  };
  return command.run({flags: parsed.flags, words: parsed.words, rest: parsed.rest}, context);
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const ours = end < 0 ? argv : argv.slice(0, end);
  return ours.includes('--help') || ours.includes('-h');
}

function showHelp(entry: CommandEntry, command: CommandModule, argv: readonly string[]): number {
  const output = openOutput('table', argv.includes('--no-color'));
  output.print(commandHelp(entry, command, output));
  return exitCodes.ok;
}

/** The format for an error that may come before the flags are parsed. */
function formatAsked(argv: readonly string[]): OutputFormat {
  for (const [index, word] of argv.entries()) {
    if (word === '--') break;
    const value =
      word === '-o' || word === '--output' ? argv[index + 1] : /^(?:-o=?|--output=)(json|yaml)$/.exec(word)?.[1];
    if (value === 'json' || value === 'yaml') return value;
  }
  return 'table';
}
