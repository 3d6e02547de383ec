import type {InferredOptionTypes, Options} from 'yargs';
import type {Output} from './output.ts';

export type OutputFormat = 'table' | 'json' | 'yaml';
export type ModeChoice = 'auto' | 'host' | 'subid' | 'single';

/** What every command is given beside its own flags. */
export interface CommandContext {
  readonly output: Output;
  readonly format: OutputFormat;
  /** Absolute path of the state folder; it need not exist. */
  readonly root: string;
  /** Absolute path of the store of images; it need not exist. */
  readonly imageStore: string;
  readonly mode: ModeChoice;
  readonly debug: boolean;
  /** The whole command table. */
  readonly commands: readonly CommandEntry[];
}

/** A command's own flags, in yargs' words. A value flag is `string: true`: numbers are parsed by us, never guessed. */
export type CommandOptions = Readonly<Record<string, Options>>;

export interface CommandArguments<O extends CommandOptions> {
  readonly flags: InferredOptionTypes<O>;
  /** As many as the table's usage line allows. */
  readonly words: readonly string[];
  /** What follows `--`, or for a pass-through command everything after its last own word. */
  readonly rest: readonly string[];
}

/** A command as the frame runs it. */
export interface CommandModule {
  readonly options: CommandOptions;
  /** JSON Schema of what `-o json` prints; `--schema` shows it. */
  readonly schema?: object;
  /** What `-o` is when it is not given; `table` by default. */
  readonly defaultFormat?: OutputFormat;
  /** Prints through the context and answers the exit code. Errors are thrown, never printed here. */
  run(given: CommandArguments<CommandOptions>, context: CommandContext): number | Promise<number>;
}

/** Ties the types of the flags to the function that reads them. */
export function defineCommand<const O extends CommandOptions>(command: {
  readonly options: O;
  readonly schema?: object;
  readonly defaultFormat?: OutputFormat;
  run(given: CommandArguments<O>, context: CommandContext): number | Promise<number>;
}): CommandModule {
  return command as unknown as CommandModule;
}

/** One line of the command table. Nothing here is loaded but words: `load` brings the command itself. */
export interface CommandEntry {
  readonly name: string;
  /** Words after the name: `<x>` is required, `[x]` may be left out, `..` repeats. A `pod` among them is completed with pod names. */
  readonly usage: string;
  readonly summary: string;
  readonly group: 'pods' | 'images' | 'ids' | 'evidence' | 'this program';
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** The first word that is no flag ends ours: all after it belongs to the program that is started (as in `exec`). */
  readonly passThrough?: boolean;
  readonly load: () => Promise<CommandModule>;
}
