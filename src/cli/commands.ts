import type {CommandEntry} from './command.ts';

/** Every command of the program, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'run',
    usage: '<file>',
    summary: 'start the pods of a manifest and show the proof that their root is nobody outside',
    group: 'pods',
    examples: [
      ['subroot run pod.yaml --image debian=host', 'on the userland of this machine'],
      ['subroot run - --wait --rm < job.yaml', 'from standard input; wait, end as it ends, leave nothing'],
      ['subroot run pod.yaml --image debian=host --dry-run', 'the whole plan, and nothing done'],
      ['subroot run pod.yaml --mode single -o json', 'with one id only; the evidence for programs'],
    ],
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  {
    name: 'pods',
    usage: '',
    summary: 'list pods, with the ids they have',
    group: 'pods',
    examples: [
      ['subroot pods', 'all of them'],
      ['subroot pods -q --state ready', 'names of those that run'],
      ['subroot pods --label app=web -o json', 'by label, for programs'],
    ],
    load: async () => (await import('./commands/pods.ts')).podsCommand,
  },
  {
    name: 'ps',
    usage: '',
    summary: 'list containers',
    group: 'pods',
    examples: [
      ['subroot ps', 'those that run'],
      ['subroot ps -a --pod userns', 'all of one pod, and how they ended'],
    ],
    load: async () => (await import('./commands/ps.ts')).psCommand,
  },
  {
    name: 'exec',
    usage: '<pod>',
    summary: 'run a program in a container of a pod',
    group: 'pods',
    passThrough: true,
    examples: [
      ['subroot exec -it userns sh', 'a shell in a terminal'],
      ['subroot exec userns cat /proc/self/uid_map', 'one command; ends as it ends'],
      ['echo hello | subroot exec -i userns cat', 'with standard input'],
    ],
    load: async () => (await import('./commands/exec.ts')).execCommand,
  },
  {
    name: 'attach',
    usage: '<pod>',
    summary: 'connect to the streams of a container that runs',
    group: 'pods',
    examples: [
      ['subroot attach userns', 'see what it writes'],
      ['subroot attach -it userns', 'its terminal; Ctrl-P Ctrl-Q lets go'],
    ],
    load: async () => (await import('./commands/attach.ts')).attachCommand,
  },
  {
    name: 'logs',
    usage: '<pod>',
    summary: 'show what a container has written',
    group: 'pods',
    examples: [
      ['subroot logs userns', 'all of it'],
      ['subroot logs -f --tail 10 userns', 'the last ten lines, and what comes'],
      ['subroot logs --since 5m -t userns', 'of the last five minutes, with times'],
    ],
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  {
    name: 'inspectp',
    usage: '<pod>',
    summary: 'show the whole status of a pod',
    group: 'pods',
    examples: [
      ['subroot inspectp userns', 'as JSON, with its maps'],
      ['subroot inspectp userns -o table', 'a field a line'],
    ],
    load: async () => (await import('./commands/inspect.ts')).inspectPodCommand,
  },
  {
    name: 'inspect',
    usage: '<pod>',
    summary: 'show the whole status of a container',
    group: 'pods',
    examples: [
      ['subroot inspect userns', 'the first container of a pod'],
      ['subroot inspect 3f2a -o yaml', 'by the beginning of its id'],
    ],
    load: async () => (await import('./commands/inspect.ts')).inspectCommand,
  },
  {
    name: 'stop',
    usage: '[pod..]',
    summary: 'stop pods or containers, gracefully at first',
    group: 'pods',
    examples: [
      ['subroot stop userns', 'stop signal, and SIGKILL after 10 s'],
      ['subroot stop -t 0 userns', 'at once'],
    ],
    load: async () => (await import('./commands/stop-and-remove.ts')).stopCommand,
  },
  {
    name: 'stopp',
    usage: '[pod..]',
    summary: 'stop pods',
    group: 'pods',
    examples: [['subroot stopp userns', 'its record and logs stay']],
    load: async () => (await import('./commands/stop-and-remove.ts')).stopPodCommand,
  },
  {
    name: 'rm',
    usage: '[pod..]',
    summary: 'remove pods or containers and every trace of them',
    group: 'pods',
    examples: [
      ['subroot rm userns', 'the pod; kills it first'],
      ['subroot rm --all', 'every pod of this node'],
      ['subroot rm -f userns', 'the same, and no error when it is gone already'],
    ],
    load: async () => (await import('./commands/stop-and-remove.ts')).removeCommand,
  },
  {
    name: 'rmp',
    usage: '[pod..]',
    summary: 'remove pods',
    group: 'pods',
    examples: [['subroot rmp userns', 'and every trace of it']],
    load: async () => (await import('./commands/stop-and-remove.ts')).removePodCommand,
  },
  {
    name: 'gc',
    usage: '',
    summary: 'remove what crashed or killed processes left behind',
    group: 'pods',
    examples: [
      ['subroot gc --dry-run', 'what would be removed'],
      ['subroot gc', 'remove it; running pods are never touched'],
    ],
    load: async () => (await import('./commands/gc.ts')).gcCommand,
  },
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
    name: 'lint',
    usage: '[file..]',
    summary: 'check manifests and subordinate-id files; can a workload take hostUsers: false?',
    group: 'ids',
    examples: [
      ['subroot lint k8s/', 'every manifest below a folder'],
      ['helm template web | subroot lint -', 'what a chart makes'],
      [
        'subroot lint web.yaml --review --kubernetes 1.33 --runtime containerd:1.7',
        'what hostUsers: false would come to there',
      ],
      ['subroot lint web.yaml --pod-security restricted:1.34', 'which checks of Pod Security fail'],
      ['subroot lint /etc/subuid /etc/subgid', 'ranges of subordinate ids'],
      ['subroot lint k8s/ --report sarif > lint.sarif', 'for code scanning; --report github for annotations'],
      ['subroot lint --explain hostpath-not-isolated', 'what a rule means'],
    ],
    load: async () => (await import('./commands/lint.ts')).lintCommand,
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
    name: 'explain',
    usage: '[words..]',
    summary: 'why something was refused: a message, an errno, a code of ours, or a path as a pod sees it',
    group: 'this program',
    examples: [
      ['kubectl describe pod web | subroot explain', 'a message of any tool, from standard input'],
      ['subroot explain "newuidmap: write to uid_map failed: Operation not permitted"', 'or as words'],
      ['subroot explain EPERM mount proc', 'an errno, and what was refused'],
      ['subroot explain --errno EINVAL --op write:uid_map -o json', 'for programs'],
      ['subroot explain SUBROOT_SUBID_NOT_GRANTED', 'a code of ours'],
    ],
    load: async () => (await import('./commands/explain.ts')).explainCommand,
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
