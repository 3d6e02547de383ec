import type {Options} from 'yargs';
import type {CommandEntry, CommandModule, CommandOptions} from './command.ts';
import {globalOptions, globalOptionsOf} from './globals.ts';
import type {Output} from './output.ts';
import {columns, wrapAfter} from './text-layout.ts';

const groups = ['pods', 'images', 'ids', 'evidence', 'this program'] as const;
const EXIT_CODES = '0 fine, 1 a check found something, 2 usage, 3 this host cannot, 70 our bug';

/** The help without a command: what there is, in groups. It needs the command table only, so it comes fast. */
export function overviewHelp(commands: readonly CommandEntry[], output: Output): string {
  const {paint, width} = output;
  const lines = ['subroot: pods whose root is nobody', '', 'Usage: subroot [flags] <command> [words]'];
  for (const group of groups) {
    const members = commands.filter((entry) => entry.group === group);
    if (members.length === 0) continue;
    const rows = members.map((entry) => [`  ${entry.name}`, entry.summary]);
    lines.push('', paint.strong(capitalized(group)), ...columns(rows, width));
  }
  lines.push('', ...globalFlags(globalOptions, output, [['  -V, --version', 'show the version']]));
  lines.push('', ...wrapAfter('Exit codes: ', EXIT_CODES, width));
  lines.push('`subroot <command> --help` shows the flags and examples of a command.');
  return lines.join('\n');
}

/** The help of one command: its own flags first, then examples, then the flags of every command. */
export function commandHelp(entry: CommandEntry, command: CommandModule, output: Output): string {
  const {paint, width} = output;
  const lines = [usageLine(entry), '', ...wrapAfter('', `${capitalized(entry.summary)}.`, width)];
  const own = flagRows(command.options);
  if (own.length > 0) lines.push('', paint.strong('Flags'), ...columns(own, width));
  lines.push('', paint.strong('Examples'));
  for (const [example, what] of entry.examples)
    lines.push(...wrapAfter('  # ', what, width).map(paint.dim), `  ${example}`);
  lines.push('', ...globalFlags(globalOptionsOf(command), output));
  return lines.join('\n');
}

function usageLine({name, usage, passThrough}: CommandEntry): string {
  if (passThrough) return `Usage: subroot ${name} [flags] ${usage} [--] <program> [arguments..]`;
  return `Usage: subroot ${name}${usage === '' ? '' : ` ${usage}`} [flags]`;
}

function globalFlags(options: CommandOptions, {paint, width}: Output, more: readonly string[][] = []): string[] {
  return [paint.strong('Flags of every command'), ...columns([...flagRows(options), ...more], width)];
}

function flagRows(options: CommandOptions): string[][] {
  return Object.entries(options).map(([name, option]) => {
    const short = [option.alias ?? []].flat().find((alias) => alias.length === 1);
    const value = option.type === 'boolean' ? '' : ` ${option.choices?.join('|') ?? valueWord(name, option)}`;
    const fallback = option.type === 'boolean' || option.default === undefined ? '' : ` (default ${option.default})`;
    return [
      `  ${short === undefined ? '    ' : `-${short}, `}--${name}${value}`,
      `${option.describe ?? ''}${fallback}`,
    ];
  });
}

function valueWord(name: string, option: Options): string {
  return (name.split('-').at(-1) ?? name).toUpperCase() + (option.array === true ? ' ...' : '');
}

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
