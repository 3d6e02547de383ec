import type {CommandEntry} from './command.ts';

/** Every command of the program, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'map',
    usage: '[ids..]',
    summary: 'translate ids through the maps of user namespaces, level by level',
    group: 'ids',
    examples: [
      ['subroot map --map "0 100000 65536" 0 1000 70000', 'which host ids these are'],
      ['subroot map --map "0 100000 65536" --to-container 101000', 'the other way'],
      ['subroot map --map "0 100000 65536" --map "0 1000 10" 5', 'through two levels, outermost first'],
      ['subroot map --pid 4242 0-65535', 'of a running process, as your namespace sees it'],
      ['subroot map --map "0 100000 65536" --check --as 1000', 'would the kernel take this map from uid 1000?'],
    ],
    load: async () => (await import('./commands/map.ts')).mapCommand,
  },
  {
    name: 'ids',
    usage: '',
    summary: 'who owns which host ids on this machine, and which claims collide',
    group: 'ids',
    examples: [
      ['subroot ids', 'the whole id line'],
      ['subroot ids --zoom 65536-1114111', 'a part of it'],
      ['subroot ids --conflicts', 'only what collides; exit code 1 when something does'],
      ['subroot ids --gid -o json', 'group ids, for programs'],
    ],
    load: async () => (await import('./commands/ids.ts')).idsCommand,
  },
  {
    name: 'doctor',
    usage: '',
    summary: 'what this machine can do, mode by mode, and how to mend the rest',
    group: 'this program',
    examples: [
      ['subroot doctor', 'all findings'],
      ['subroot doctor --problems', 'only what is not fine'],
      ['subroot doctor -o json', 'for programs and bug reports'],
    ],
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  {
    name: 'version',
    usage: '',
    summary: 'versions of subroot and of what it stands on',
    group: 'this program',
    examples: [
      ['subroot version', 'for people'],
      ['subroot version -o json', 'for programs'],
    ],
    load: async () => (await import('./commands/version.ts')).versionCommand,
  },
  {
    name: 'completion',
    usage: '<shell>',
    summary: 'print the completion script of bash, zsh or fish',
    group: 'this program',
    examples: [
      ['source <(subroot completion bash)', 'for this bash'],
      ['subroot completion zsh > "${fpath[1]}/_subroot"', 'for every zsh'],
      ['subroot completion fish > ~/.config/fish/completions/subroot.fish', 'for every fish'],
    ],
    load: async () => (await import('./commands/completion.ts')).completionCommand,
  },
];

/** The command of that name, or undefined. */
export function findCommand(name: string): CommandEntry | undefined {
  return commands.find((entry) => entry.name === name);
}
