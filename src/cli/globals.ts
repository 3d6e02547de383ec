import type {Options} from 'yargs';
import type {CommandModule} from './command.ts';

/** Flags that every command takes. */
export const globalOptions = {
  output: {
    alias: 'o',
    type: 'string',
    choices: ['table', 'json', 'yaml'],
    default: 'table',
    requiresArg: true,
    describe: 'how to print results, and errors too',
  },
  root: {
    type: 'string',
    requiresArg: true,
    describe: 'state folder (also SUBROOT_ROOT)',
  },
  'image-store': {
    type: 'string',
    requiresArg: true,
    describe: 'where images are kept (also SUBROOT_IMAGE_STORE)',
  },
  mode: {
    type: 'string',
    choices: ['auto', 'host', 'subid', 'single'],
    default: 'auto',
    requiresArg: true,
    describe: 'how to get ids: as root, by newuidmap, or only your own',
  },
  'no-color': {type: 'boolean', describe: 'plain text (also NO_COLOR)'},
  schema: {type: 'boolean', describe: 'print the JSON Schema of -o json and stop'},
  debug: {type: 'boolean', describe: 'stack traces with errors'},
  help: {alias: 'h', type: 'boolean', describe: 'show this help'},
} as const satisfies Record<string, Options>;

/** The same for one command, with its own default of `--output`. */
export function globalOptionsOf({defaultFormat = 'table'}: Pick<CommandModule, 'defaultFormat'>) {
  return {...globalOptions, output: {...globalOptions.output, default: defaultFormat}};
}

const valueFlags = new Set(['-o', '--output', '--root', '--image-store', '--mode']);

/**
 * Index of the command's word in the arguments, or -1 when there is none: the first word that is neither a flag nor a global flag's value.
 * `--` ends the search.
 */
export function findCommandIndex(argv: readonly string[]): number {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--') return -1;
    if (valueFlags.has(word)) index += 1;
    else if (!word.startsWith('-')) return index;
  }
  return -1;
}
