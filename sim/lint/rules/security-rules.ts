import {examplePod, type LintRule} from './rule.ts';

const container = (...lines: readonly string[]) =>
  examplePod(['hostUsers: false'], ['securityContext:', ...lines.map((line) => `  ${line}`)]);
const fine = {
  text: container('allowPrivilegeEscalation: false', 'seccompProfile:', '  type: RuntimeDefault'),
};

/** Rules about what a container may do. */
export const securityRules = {
  privileged: {
    title: 'a privileged container',
    severity: 'warning',
    about: 'security',
    versions: 'all',
    text: 'Without a user namespace it is root of the node. With one its capabilities count in the pod only, its devices belong to nobody, and seccomp, AppArmor and the masks of /proc and /sys are off, so all of the kernel is reached; some runtimes fail to start it (sysfs, runc issue 5309). Most of the time single capabilities will do.',
    bad: {text: container('privileged: true')},
    good: fine,
  },
  'seccomp-missing': {
    title: 'no seccomp profile',
    severity: 'info',
    about: 'security',
    versions: 'all',
    text: 'A kubelet applies one by itself only with seccompDefault. A user namespace stops what rests on host ids and stops no bug of the kernel: it even opens more of it (CVE-2022-0185, nf_tables). RuntimeDefault closes most of that again.',
    bad: {text: container('allowPrivilegeEscalation: false')},
    good: fine,
  },
  'privilege-escalation': {
    title: 'setuid programs are allowed',
    severity: 'info',
    about: 'security',
    versions: 'all',
    text: 'Without `allowPrivilegeEscalation: false` (no_new_privs) a setuid program makes a user of the container its root. In a user namespace that is root of the pod and no more.',
    bad: {text: container('seccompProfile:', '  type: RuntimeDefault')},
    good: fine,
  },
  'capability-name': {
    title: 'a capability that there is not, or not spelt so',
    severity: 'warning',
    about: 'security',
    versions: 'all',
    text: 'Kubernetes writes capabilities in capitals and without CAP_. Runtimes differ in what they make of other spellings, and Pod Security compares letter by letter: `drop: [all]` is not ALL to it.',
    bad: {text: container('capabilities:', '  add: [CAP_NET_BIND_SERVICE]')},
    good: {text: container('capabilities:', '  add: [NET_BIND_SERVICE]')},
  },
  'capability-void': {
    title: 'a capability that is void in a user namespace',
    severity: 'warning',
    about: 'security',
    versions: 'all',
    text: 'What the kernel asks of the first user namespace no pod has that has one of its own: modules, the clock, raw devices, hard limits, the kernel log, BPF. The container starts; what needs the capability fails with EPERM. `--review` lists what every capability is worth.',
    bad: {text: container('capabilities:', '  add: [SYS_TIME]')},
    good: {text: container('capabilities:', '  add: [NET_BIND_SERVICE]')},
  },
  'capability-risk': {
    title: 'a capability that reaches much of the kernel from inside',
    severity: 'info',
    about: 'security',
    versions: 'all',
    text: 'It works over what belongs to the pod, which is the point. The code that it reaches is the kernel of the node, and a bug there is not stopped by a user namespace.',
    bad: {text: container('capabilities:', '  add: [NET_ADMIN]')},
    good: {text: container('capabilities:', '  add: [NET_BIND_SERVICE]')},
  },
  'pod-security': {
    title: 'a check of Pod Security that the level asked for refuses',
    severity: 'error',
    about: 'security',
    versions:
      'with --pod-security; user namespaces waive runAsNonRoot, runAsUser and (baseline) procMount from policy version 1.35 on, before only with the gate UserNamespacesPodSecurityStandards (1.29 to 1.34)',
    text: "`--pod-security baseline` or `restricted`, with a policy version behind a colon (`restricted:1.34`), names every check that fails by kubernetes' own id. Nothing else is waived for a user namespace: not privileged, not capabilities, not hostPath.",
    bad: {text: container('privileged: true'), podSecurity: 'baseline'},
    good: {text: container('privileged: false'), podSecurity: 'baseline'},
  },
} as const satisfies Record<string, LintRule>;
