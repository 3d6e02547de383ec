import type {CommandOptions} from './command.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A command as completion needs it. */
export interface CompletionCommand {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options: CommandOptions;
}

interface Flag {
  readonly name: string;
  readonly short: string | undefined;
  readonly describe: string;
  /** Words it can take; undefined: any value; empty: it takes none. */
  readonly choices: readonly string[] | undefined;
  readonly takes: 'nothing' | 'choice' | 'file' | 'pod' | 'text';
}

/** The completion script of a shell. Names of pods are asked for when they are needed, by `subroot pods -q`; everything else is in it. */
export function completionScript(
  shell: Shell,
  commands: readonly CompletionCommand[],
  globals: CommandOptions,
): string {
  switch (shell) {
    case 'bash':
      return bashScript(commands, globals);
    case 'zsh':
      return zshScript(commands, globals);
    case 'fish':
      return fishScript(commands, globals);
  }
}

function flagsOf(options: CommandOptions): Flag[] {
  return Object.entries(options).map(([name, option]) => {
    const short = [option.alias ?? []].flat().find((alias) => alias.length === 1);
    const choices = option.choices?.map(String);
    const takes =
      option.type === 'boolean'
        ? 'nothing'
        : choices !== undefined
          ? 'choice'
          : name === 'pod'
            ? 'pod'
            : ['file', 'root'].includes(name)
              ? 'file'
              : 'text';
    return {name, short, describe: option.describe ?? option.description ?? '', choices, takes};
  });
}

interface CommandWords {
  readonly kind: 'pod' | 'file' | 'words' | 'none';
  readonly words: readonly string[];
  /** Whether words after the first are of the same kind. */
  readonly repeats: boolean;
}

/** What the words of a command can be, by its usage line. */
function wordsOf({name, usage}: CompletionCommand): CommandWords {
  const repeats = usage.includes('..');
  if (name === 'completion') return {kind: 'words', words: shells, repeats};
  const kind = /\bpods?\b/.test(usage) ? 'pod' : /\bfiles?\b/.test(usage) ? 'file' : 'none';
  return {kind, words: [], repeats};
}

const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function spell({name, short}: Flag): string[] {
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
}

const podNames = '"$(subroot pods -q 2>/dev/null)"';

function bashScript(commands: readonly CompletionCommand[], globals: CommandOptions): string {
  const globalFlags = flagsOf(globals);
  const valueFlags = (flags: readonly Flag[]) =>
    flags
      .filter(({takes}) => takes !== 'nothing')
      .flatMap(spell)
      .join(' ');
  const setup = commands.map(({name, options}) => {
    const flags = flagsOf(options);
    return `      ${name}) flags=${quoted(flags.flatMap(spell).join(' '))} values+=${quoted(`${valueFlags(flags)} `)} ;;`;
  });
  const values = [
    ...globalFlags.flatMap((flag) => bashValue('*', flag)),
    ...commands.flatMap(({name, options}) => flagsOf(options).flatMap((flag) => bashValue(name, flag))),
  ];
  const words = commands.flatMap((command) => {
    const {kind, words: list, repeats} = wordsOf(command);
    if (kind === 'none') return [];
    const reply = {pod: bashReply(podNames), file: BASH_FILES, words: bashReply(quoted(list.join(' ')))}[kind];
    return [`    ${command.name}) ${repeats ? '' : '((count == 0)) && '}${reply} ;;`];
  });
  return `# bash completion of subroot; made by \`subroot completion bash\`
_subroot() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev= command= flags= word= count=0 i
  local values=${quoted(` ${valueFlags(globalFlags)} `)}
  ((COMP_CWORD > 0)) && prev=\${COMP_WORDS[COMP_CWORD - 1]}
  # bash breaks words at "=": take \`--flag=value\` as \`--flag value\`
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == -- ]]; then return
    elif [[ $values == *" $word "* ]]; then ((i++)); [[ \${COMP_WORDS[i]} == = ]] && ((i++))
    elif [[ $word == -* ]]; then :
    elif [[ -n $command ]]; then ((count++))
    else
      command=$word
      case $command in
${setup.join('\n')}
      esac
    fi
  done
  case $command:$prev in
${values.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags "${quoted(globalFlags.flatMap(spell).join(' '))} -- "$cur"))
  elif [[ -z $command ]]; then
    ${bashReply(quoted(commands.map(({name}) => name).join(' ')))}
  else
    case $command in
${words.join('\n')}
    esac
  fi
}
complete -F _subroot subroot`;
}

const BASH_FILES = 'COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null';

function bashReply(list: string): string {
  return `COMPREPLY=($(compgen -W ${list} -- "$cur"))`;
}

/** The case for the value of a flag of a command (`*`: of every one). */
function bashValue(command: string, flag: Flag): string[] {
  if (flag.takes === 'nothing') return [];
  const pattern = spell(flag)
    .map((name) => `${command}:${name}`)
    .join('|');
  const reply = {
    choice: bashReply(quoted((flag.choices ?? []).join(' '))),
    file: BASH_FILES,
    pod: bashReply(podNames),
    text: ':',
  }[flag.takes];
  return [`    ${pattern}) ${reply}; return ;;`];
}

function zshFlag(flag: Flag): string {
  const text = flag.describe.replaceAll(/[[\]:]/g, ' ');
  const value = {
    nothing: '',
    choice: `:${flag.name}:(${(flag.choices ?? []).join(' ')})`,
    file: `:${flag.name}:_files`,
    pod: `:${flag.name}:_subroot_pods`,
    text: `:${flag.name}: `,
  }[flag.takes];
  const names = spell(flag);
  const [only = ''] = names;
  return names.length === 1
    ? quoted(`${only}[${text}]${value}`)
    : `'(${names.join(' ')})'{${names.join(',')}}${quoted(`[${text}]${value}`)}`;
}

function zshScript(commands: readonly CompletionCommand[], globals: CommandOptions): string {
  const globalFlags = flagsOf(globals).map(zshFlag).join(' ');
  const cases = commands.map((command) => {
    const {kind, words, repeats} = wordsOf(command);
    const at = repeats ? '*' : '1';
    const word = {
      pod: ` '${at}:pod:_subroot_pods'`,
      file: ` '${at}:file:_files'`,
      words: ` '${at}:word:(${words.join(' ')})'`,
      none: '',
    }[kind];
    const own = flagsOf(command.options).map(zshFlag).join(' ');
    return `    ${command.name}) _arguments $globals ${own}${word} ;;`.replaceAll(/ +/g, ' ').replace(/^ /, '    ');
  });
  const list = commands.map(({name, summary}) => quoted(`${name}:${summary.replaceAll(':', ' ')}`)).join(' ');
  return `#compdef subroot
# zsh completion of subroot; made by \`subroot completion zsh\`
_subroot_pods() { local -a pods; pods=(\${(f)"$(subroot pods -q 2>/dev/null)"}); compadd -a pods }
_subroot() {
  local -a globals; globals=(${globalFlags})
  local line state
  _arguments -C $globals '1:command:->command' '*::word:->word'
  case $state in
  command) local -a list; list=(${list}); _describe command list ;;
  word)
    case $line[1] in
${cases.join('\n')}
    esac ;;
  esac
}
if [[ $funcstack[1] == _subroot ]]; then _subroot "$@"; else compdef _subroot subroot; fi`;
}

function fishScript(commands: readonly CompletionCommand[], globals: CommandOptions): string {
  const lines = ['# fish completion of subroot; made by `subroot completion fish`', 'complete -c subroot -f'];
  const flagLine = (flag: Flag, condition: string): string => {
    const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
    const value = {
      nothing: '',
      choice: ` -x -a ${quoted((flag.choices ?? []).join(' '))}`,
      file: ' -r -F',
      pod: " -x -a '(subroot pods -q 2>/dev/null)'",
      text: ' -x',
    }[flag.takes];
    return `complete -c subroot${condition} -l ${flag.name}${short}${value} -d ${quoted(flag.describe)}`;
  };
  for (const flag of flagsOf(globals)) lines.push(flagLine(flag, ''));
  for (const {name, summary} of commands)
    lines.push(`complete -c subroot -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
  for (const command of commands) {
    const condition = ` -n '__fish_seen_subcommand_from ${command.name}'`;
    const {kind, words} = wordsOf(command);
    if (kind === 'pod') lines.push(`complete -c subroot${condition} -a '(subroot pods -q 2>/dev/null)'`);
    if (kind === 'file') lines.push(`complete -c subroot${condition} -F`);
    if (kind === 'words') lines.push(`complete -c subroot${condition} -a ${quoted(words.join(' '))}`);
    for (const flag of flagsOf(command.options)) lines.push(flagLine(flag, condition));
  }
  return lines.join('\n');
}
