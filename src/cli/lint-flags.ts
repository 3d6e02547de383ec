import {printable} from '../../native-free/errors.ts';
import type {FeatureGates, GateName} from '../../sim/kubernetes-versions.ts';
import {gateNames} from '../../sim/kubernetes-versions.ts';
import type {PodSecurityTarget} from '../../sim/lint/lint-manifest.ts';
import type {ClusterWords} from '../../sim/lint/node-versions.ts';
import {isRuleId, type RuleId, ruleIds} from '../../sim/lint/rules.ts';
import {usageError} from './failure.ts';
import {wholeNumber} from './flag-words.ts';
import {findNearest} from './nearest.ts';

const several = {type: 'string', array: true, requiresArg: true} as const;
const word = {type: 'string', requiresArg: true} as const;

/** The flags of `subroot lint`. */
export const lintOptions = {
  review: {
    type: 'boolean',
    describe: 'judge each workload instead: can it take hostUsers: false, and what would it take',
  },
  report: {
    ...word,
    choices: ['text', 'sarif', 'github'],
    default: 'text',
    describe: 'SARIF 2.1.0, or annotations of GitHub Actions',
  },
  'fail-on': {
    ...word,
    choices: ['error', 'warning', 'info'],
    default: 'error',
    describe: 'exit code 1 from that severity on',
  },
  only: {...several, describe: 'only this rule; repeat to ask for several'},
  disable: {...several, describe: 'leave this rule out; repeat for several'},
  'list-rules': {type: 'boolean', describe: 'list all rules and stop'},
  explain: {...word, describe: 'what a rule means, with an example, and stop'},
  kubernetes: {...word, describe: 'version of the API server, 1.20 to 1.37 (default)'},
  kubelet: {...word, describe: 'version of the kubelet, when it is another'},
  runtime: {...word, describe: 'containerd:VERSION, cri-o:VERSION or cri-dockerd:VERSION'},
  runc: {...word, describe: 'version of runc'},
  crun: {...word, describe: 'version of crun'},
  kernel: {...word, describe: 'version of Linux, as uname -r has it'},
  'feature-gates': {...several, describe: 'GATE=true,GATE=false of API server and kubelet'},
  'kubelet-feature-gates': {...several, describe: 'those of the kubelet that differ'},
  'ids-per-pod': {...word, describe: 'idsPerPod of the kubelet (65536)'},
  'max-pods': {...word, describe: 'maxPods of the kubelet (110), for its subordinate ids'},
  'pod-security': {...word, describe: 'baseline or restricted, with :VERSION of the policy: which checks fail'},
  subid: {type: 'boolean', describe: 'the files are like /etc/subuid (known by name otherwise)'},
  shadow: {...word, choices: ['4.13', '4.20'], describe: 'judge subordinate ids by that version alone'},
  passwd: {...word, describe: 'accounts, for subordinate ids (passwd beside the file)'},
  group: {...word, describe: 'groups, for subordinate ids (group beside the file)'},
} as const;

type Flags = {readonly [Name in keyof typeof lintOptions]?: string | boolean | readonly string[] | undefined};
const textOf = (value: Flags[keyof Flags]) => (typeof value === 'string' ? value : undefined);
const listOf = (value: Flags[keyof Flags]) => (Array.isArray(value) ? (value as readonly string[]) : []);

/** Which rules count. */
export interface RuleChoice {
  readonly only: ReadonlySet<RuleId>;
  readonly disabled: ReadonlySet<RuleId>;
}

/** Rule ids of --only and --disable; commas separate too. Throws SUBROOT_USAGE for one that there is not. */
export function chosenRules(flags: Flags): RuleChoice {
  const read = (flag: 'only' | 'disable') =>
    new Set(
      listOf(flags[flag])
        .flatMap((each) => each.split(','))
        .map((id) => ruleNamed(`--${flag}`, id)),
    );
  return {only: read('only'), disabled: read('disable')};
}

/** The rule of that id. Throws SUBROOT_USAGE with the nearest one. */
export function ruleNamed(flag: string, id: string): RuleId {
  if (isRuleId(id)) return id;
  const near = findNearest(id, ruleIds);
  throw usageError(
    `${flag}: there is no rule "${printable(id)}"`,
    near === undefined ? '`subroot lint --list-rules` has them all' : `did you mean ${near}?`,
  );
}

/** What the flags tell of the cluster; empty when nothing. Throws SUBROOT_USAGE. */
export function clusterOf(flags: Flags): ClusterWords {
  const words = Object.fromEntries(
    (['kubernetes', 'kubelet', 'runtime', 'runc', 'crun', 'kernel'] as const).flatMap((name) => {
      const value = textOf(flags[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const gates = gatesOf('--feature-gates', listOf(flags['feature-gates']));
  const kubeletGates = gatesOf('--kubelet-feature-gates', listOf(flags['kubelet-feature-gates']));
  const idsPerPod = idsPerPodOf(flags);
  return {
    ...words,
    ...(gates === undefined ? {} : {gates}),
    ...(kubeletGates === undefined ? {} : {kubeletGates}),
    ...(idsPerPod === undefined ? {} : {idsPerPod}),
  };
}

/** --ids-per-pod, a multiple of 65536. Throws SUBROOT_USAGE. */
export function idsPerPodOf(flags: Flags): number | undefined {
  const count = wholeNumber('--ids-per-pod', textOf(flags['ids-per-pod']), 'ids', 65_536);
  if (count !== undefined && (count < 65_536 || count % 65_536 !== 0 || count > 2 ** 32 - 65_536)) {
    throw usageError(`--ids-per-pod ${count} is no multiple of 65536`, 'write 65536, 131072, …');
  }
  return count;
}

/** The old name of the gate, which 1.25 to 1.27 have; it stands for the same. */
const oldName = 'UserNamespacesStatelessPodsSupport';

function gatesOf(flag: string, words: readonly string[]): FeatureGates | undefined {
  if (words.length === 0) return undefined;
  const gates: [GateName, boolean][] = words
    .flatMap((each) => each.split(','))
    .map((pair) => {
      const [, name = '', value = ''] = /^(\w+)=(true|false)$/.exec(pair) ?? [];
      const known = gateNames.find((gate) => gate === (name === oldName ? 'UserNamespacesSupport' : name));
      if (known !== undefined) return [known, value === 'true'];
      if (value === '')
        throw usageError(
          `${flag} ${printable(pair)} is no GATE=true or GATE=false`,
          `write ${flag} UserNamespacesSupport=true`,
        );
      const near = findNearest(name, gateNames);
      throw usageError(
        `${flag}: gate ${name} is not known here`,
        near === undefined ? `those that touch user namespaces are ${gateNames.join(', ')}` : `did you mean ${near}?`,
      );
    });
  return Object.fromEntries(gates);
}

/** --pod-security LEVEL[:VERSION]. Throws SUBROOT_USAGE. */
export function podSecurityOf(flags: Flags): PodSecurityTarget | undefined {
  const given = textOf(flags['pod-security']);
  if (given === undefined) return undefined;
  const [, level, minor] = /^(baseline|restricted)(?::(?:latest|v?1\.(\d{1,2})))?$/.exec(given) ?? [];
  if (level === undefined) {
    throw usageError(
      `--pod-security ${printable(given)} is no level`,
      'write baseline or restricted, and a version behind a colon: restricted:1.34',
    );
  }
  return {level: level as PodSecurityTarget['level'], ...(minor === undefined ? {} : {minor: Number(minor)})};
}
