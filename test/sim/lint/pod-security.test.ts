import test from 'ava';
import type {FeatureGates} from '../../../sim/kubernetes-versions.ts';
import {readCluster} from '../../../sim/lint/node-versions.ts';
import {
  checksAgainst,
  failedChecks,
  type PodSecurityLevel,
  podSecurityCheckIds,
  podSecurityLevel,
} from '../../../sim/lint/pod-security.ts';
import {viewPod} from '../../../sim/lint/pod-view.ts';
import {findWorkloads} from '../../../sim/lint/workloads.ts';
import {parseTrees} from '../../../sim/manifest-tree.ts';

interface Target {
  readonly kubernetes?: string;
  readonly policyMinor?: number;
  readonly gates?: FeatureGates;
}

const restricted = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  seccompProfile: {type: 'RuntimeDefault'},
  capabilities: {drop: ['ALL']},
};

function judge(spec: object, securityContext: object, {kubernetes = '1.36', policyMinor, gates}: Target = {}) {
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name: 'web'},
    spec: {
      ...spec,
      containers: [
        {name: 'web', image: 'nginx', securityContext, ...('container' in spec ? (spec.container as object) : {})},
      ],
    },
  });
  const [workload] = findWorkloads(parseTrees(text, 'web.json', {ends: true})).workloads;
  if (!workload) throw new Error(text);
  const {api} = readCluster({kubernetes, ...(gates ? {gates} : {})});
  const failed = failedChecks(viewPod(workload), {api, ...(policyMinor === undefined ? {} : {policyMinor})});
  return {level: podSecurityLevel(failed), checks: checksAgainst(failed, 'restricted').map(({check}) => check), failed};
}

const userns = {hostUsers: false};
const gate = {UserNamespacesPodSecurityStandards: true};
const root = {...restricted, runAsNonRoot: undefined, runAsUser: 0};

const rows: readonly (readonly [
  title: string,
  spec: object,
  context: object,
  level: PodSecurityLevel,
  checks: readonly string[],
  target?: Target,
])[] = [
  ['a pod with all that restricted wants', {}, restricted, 'restricted', []],
  [
    'a pod that says nothing',
    {},
    {},
    'baseline',
    ['runAsNonRoot', 'allowPrivilegeEscalation', 'seccompProfile_restricted', 'capabilities_restricted'],
  ],
  ['a privileged pod', userns, {...restricted, privileged: true}, 'privileged', ['privileged']],
  ['root by number', {}, root, 'baseline', ['runAsNonRoot', 'runAsUser']],
  ['root in a user namespace, policy 1.36', userns, root, 'restricted', []],
  ['root in a user namespace, policy 1.35', userns, root, 'restricted', [], {policyMinor: 35}],
  [
    'root in a user namespace, policy 1.34 on a server of 1.36',
    userns,
    root,
    'baseline',
    ['runAsNonRoot', 'runAsUser'],
    {policyMinor: 34},
  ],
  ['root in a user namespace on 1.34', userns, root, 'baseline', ['runAsNonRoot', 'runAsUser'], {kubernetes: '1.34'}],
  ['root in a user namespace on 1.34 with the gate', userns, root, 'restricted', [], {kubernetes: '1.34', gates: gate}],
  ['root in a user namespace on 1.29 with the gate', userns, root, 'restricted', [], {kubernetes: '1.29', gates: gate}],
  [
    "a policy newer than the server is the server's",
    userns,
    root,
    'baseline',
    ['runAsNonRoot', 'runAsUser'],
    {kubernetes: '1.34', policyMinor: 36},
  ],
  [
    'procMount without a user namespace',
    {},
    {...restricted, procMount: 'Unmasked'},
    'privileged',
    ['procMount_restricted'],
  ],
  [
    'procMount in a user namespace',
    userns,
    {...restricted, procMount: 'Unmasked'},
    'baseline',
    ['procMount_restricted'],
  ],
  [
    'procMount in a user namespace on 1.34',
    userns,
    {...restricted, procMount: 'Unmasked'},
    'privileged',
    ['procMount'],
    {kubernetes: '1.34'},
  ],
  [
    'procMount in a user namespace on 1.31 with the gate',
    userns,
    {...restricted, procMount: 'Unmasked'},
    'baseline',
    ['procMount_restricted'],
    {kubernetes: '1.31', gates: gate},
  ],
  [
    'procMount in a user namespace on 1.30 with the gate',
    userns,
    {...restricted, procMount: 'Unmasked'},
    'privileged',
    ['procMount'],
    {kubernetes: '1.30', gates: gate},
  ],
  [
    'a capability is not waived by a user namespace',
    userns,
    {...restricted, capabilities: {add: ['NET_ADMIN'], drop: ['ALL']}},
    'privileged',
    ['capabilities_restricted'],
  ],
  [
    'NET_BIND_SERVICE may be added',
    {},
    {...restricted, capabilities: {add: ['NET_BIND_SERVICE'], drop: ['ALL']}},
    'restricted',
    [],
  ],
  [
    'CHOWN is for baseline',
    {},
    {...restricted, capabilities: {add: ['CHOWN'], drop: ['ALL']}},
    'baseline',
    ['capabilities_restricted'],
  ],
  [
    'a name in small letters is not ALL',
    {},
    {...restricted, capabilities: {drop: ['all']}},
    'baseline',
    ['capabilities_restricted'],
  ],
  [
    'a hostPath is told by restricted once',
    {...userns, volumes: [{name: 'a', hostPath: {path: '/'}}]},
    restricted,
    'privileged',
    ['restrictedVolumes'],
  ],
  ['an nfs volume is for baseline', {volumes: [{name: 'a', nfs: {}}]}, restricted, 'baseline', ['restrictedVolumes']],
  ['an image volume passes from 1.33 on', {volumes: [{name: 'a', image: {}}]}, restricted, 'restricted', []],
  [
    'an image volume on 1.32',
    {volumes: [{name: 'a', image: {}}]},
    restricted,
    'baseline',
    ['restrictedVolumes'],
    {kubernetes: '1.32'},
  ],
  [
    'host namespaces',
    {hostNetwork: true, hostPID: true},
    restricted,
    'privileged',
    ['hostNamespaces', 'hostNamespaces'],
  ],
  ['a host port', {container: {ports: [{containerPort: 80, hostPort: 80}]}}, restricted, 'privileged', ['hostPorts']],
  [
    'seccomp of the pod counts for its containers',
    {securityContext: {seccompProfile: {type: 'Localhost'}}},
    {...restricted, seccompProfile: undefined},
    'restricted',
    [],
  ],
  [
    'Unconfined is refused by both levels, and told once',
    {},
    {...restricted, seccompProfile: {type: 'Unconfined'}},
    'privileged',
    ['seccompProfile_restricted'],
  ],
  [
    'AppArmor Unconfined',
    {},
    {...restricted, appArmorProfile: {type: 'Unconfined'}},
    'privileged',
    ['appArmorProfile'],
  ],
  [
    'a sysctl that is not safe',
    {securityContext: {sysctls: [{name: 'kernel.msgmax', value: '1'}]}},
    restricted,
    'privileged',
    ['sysctls'],
  ],
  [
    'a sysctl that is safe since 1.32',
    {securityContext: {sysctls: [{name: 'net.ipv4.tcp_rmem', value: '1'}]}},
    restricted,
    'restricted',
    [],
  ],
  [
    '…and not by the policy of 1.31',
    {securityContext: {sysctls: [{name: 'net.ipv4.tcp_rmem', value: '1'}]}},
    restricted,
    'privileged',
    ['sysctls'],
    {policyMinor: 31},
  ],
  [
    'SELinux type container_engine_t',
    {},
    {...restricted, seLinuxOptions: {type: 'container_engine_t'}},
    'restricted',
    [],
  ],
  [
    '…by the policy of 1.30',
    {},
    {...restricted, seLinuxOptions: {type: 'container_engine_t'}},
    'privileged',
    ['seLinuxOptions'],
    {policyMinor: 30},
  ],
  ['an SELinux role', {}, {...restricted, seLinuxOptions: {role: 'system_r'}}, 'privileged', ['seLinuxOptions']],
  [
    'a probe of another host',
    {container: {livenessProbe: {httpGet: {host: '10.0.0.1', port: 80}}}},
    restricted,
    'privileged',
    ['hostProbesAndHostLifecycle'],
  ],
  [
    '…by the policy of 1.33',
    {container: {livenessProbe: {httpGet: {host: '10.0.0.1', port: 80}}}},
    restricted,
    'restricted',
    [],
    {policyMinor: 33},
  ],
  [
    'a Windows pod needs no seccomp and no capabilities',
    {os: {name: 'windows'}},
    {runAsNonRoot: true},
    'restricted',
    [],
  ],
  [
    'a Windows host process',
    {os: {name: 'windows'}},
    {runAsNonRoot: true, windowsOptions: {hostProcess: true}},
    'privileged',
    ['windowsHostProcess'],
  ],
];

for (const [title, spec, context, level, checks, target] of rows) {
  test(`${title}: ${level}`, (t) => {
    const judged = judge(spec, context, target);
    t.deepEqual([...judged.checks].sort(), [...checks].sort());
    t.is(judged.level, level);
  });
}

test('the checks are those of kubernetes', (t) => {
  t.is(podSecurityCheckIds.length, 19);
  t.is(new Set(podSecurityCheckIds).size, 19);
  const met = new Set(rows.flatMap(([, , , , checks]) => checks));
  // Those of baseline that restricted overrides are seen by their own level.
  const baseline = judge(
    {volumes: [{name: 'a', hostPath: {path: '/'}}]},
    {capabilities: {add: ['SYS_ADMIN']}, seccompProfile: {type: 'Unconfined'}},
  ).failed.map(({check}) => check);
  for (const id of podSecurityCheckIds) t.true(met.has(id) || baseline.includes(id), id);
});
