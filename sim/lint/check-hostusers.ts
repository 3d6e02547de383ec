import {nearest} from '../field-reader.ts';
import {checkIds} from './check-ids.ts';
import {checkSecurity} from './check-security.ts';
import {checkVolumes} from './check-volumes.ts';
import type {Report} from './finding.ts';
import {isOn} from './node-versions.ts';
import type {RuleContext} from './rule-context.ts';
import {severityOf} from './rules.ts';
import {predictUserns} from './skew.ts';
import type {Spot} from './spot.ts';
import {usesTmpfs} from './volume-file-system.ts';

/** Rules about the field itself: its name, its place, whether it is there, and what the cluster makes of it. */
export function checkHostUsers(context: RuleContext): Report[] {
  return [
    ...misspelt(context),
    ...misplaced(context),
    ...annotations(context),
    ...unset(context),
    ...hostNamespaces(context),
    ...outcome(context),
  ];
}

const mendName = 'write `hostUsers: false` in the spec of the pod';

/** Names seen in the wild that no version of the API has. */
const wrongNames: ReadonlySet<string> = new Set([
  ...['hostUser', 'hostusers', 'hostUserNamespace', 'hostUserns', 'userns', 'userNS', 'usersns', 'userNamespace'],
  ...['userNamespaces', 'usernamespace', 'hostUID', 'hostUsersNamespace', 'userNamespaceMode', 'usernsMode'],
]);

function looksLikeHostUsers(name: string): boolean {
  return wrongNames.has(name) || (name !== 'hostUsers' && nearest(name, ['hostUsers']) === 'hostUsers');
}

/** `hostAliases`, `hostname` and the like are near in letters and are fields of their own. */
const realNames: ReadonlySet<string> = new Set([
  'hostUsers',
  'hostAliases',
  'hostIPC',
  'hostPID',
  'hostNetwork',
  'hostname',
  'hostPath',
  'hostIP',
  'hostPort',
]);

function misspelt({pod}: RuleContext): Report[] {
  return holders(pod).flatMap(({spot, where}) =>
    spot.entries
      .filter(([name]) => !realNames.has(name) && looksLikeHostUsers(name))
      .map(([name, field]) => ({
        rule: 'hostusers-misspelt' as const,
        mark: field.mark,
        path: field.path,
        message: `${where} has no field ${name}: it is dropped, and the pod shares the node's user namespace`,
        mend: mendName,
      })),
  );
}

function misplaced({pod}: RuleContext): Report[] {
  return holders(pod)
    .filter(({spot}) => spot.path !== pod.spec.path)
    .flatMap(({spot, where}) => {
      const field = spot.get('hostUsers');
      if (!field) return [];
      return [
        {
          rule: 'hostusers-misplaced' as const,
          mark: field.mark,
          path: field.path,
          message: `hostUsers is a field of the pod's spec and not of ${where}: here it is dropped, and the pod shares the node's user namespace`,
          mend: `move it to ${pod.spec.path}.hostUsers; it is for all containers of the pod`,
        },
      ];
    });
}

/** Mappings in which people write it. */
function holders(pod: RuleContext['pod']): {spot: Spot; where: string}[] {
  const {workload, spec, metadata, securityContext} = pod;
  const outer = workload.object.get('spec');
  return [
    {spot: workload.object, where: `a ${workload.kind}`},
    ...(outer && outer.path !== spec.path ? [{spot: outer, where: `the spec of a ${workload.kind}`}] : []),
    ...(workload.pod.path !== workload.object.path ? [{spot: workload.pod, where: 'a pod template'}] : []),
    ...(metadata ? [{spot: metadata, where: 'metadata'}] : []),
    {spot: spec, where: "the pod's spec"},
    ...(securityContext ? [{spot: securityContext, where: "the pod's securityContext"}] : []),
    ...pod.containers.flatMap(({spot, securityContext: own, name}) => [
      {spot, where: `container ${name}`},
      ...(own ? [{spot: own, where: `the securityContext of container ${name}`}] : []),
    ]),
  ];
}

const crioAnnotation = 'io.kubernetes.cri-o.userns-mode';

function annotations({pod}: RuleContext): Report[] {
  const field = pod.metadata?.at('annotations', crioAnnotation);
  if (!field) return [];
  const both = pod.hostUsers === false ? '; together with hostUsers: false the two may contradict each other' : '';
  return [
    {
      rule: 'crio-userns-annotation',
      mark: field.mark,
      path: field.path,
      message: `this annotation is CRI-O's own: other runtimes ignore it, CRI-O honours it only for handlers that allow it, and neither the API nor the kubelet knows of the namespace${both}`,
      mend: `remove it and ${mendName}`,
    },
  ];
}

function unset(context: RuleContext): Report[] {
  const {spec, hostUsers, workload} = context.pod;
  if (hostUsers === false || spec.at('os', 'name')?.text === 'windows') return [];
  const field = spec.get('hostUsers');
  if ((field && hostUsers === undefined) || standsAgainst(context)) return [];
  return [
    {
      rule: 'hostusers-unset',
      mark: field?.mark ?? workload.mark,
      path: `${spec.path}.hostUsers`,
      message: `root in these containers is root on the node: hostUsers is ${field ? 'true' : 'not set'}`,
      mend: 'set `hostUsers: false`; `subroot lint --review` says what it would take',
    },
  ];
}

/** Whether with `hostUsers: false` something would not start, or stop working for want of a capability. */
function standsAgainst(context: RuleContext): boolean {
  const userns: RuleContext = {...context, pod: {...context.pod, hostUsers: false}};
  const reports = [
    ...hostNamespaces(userns),
    ...outcome(userns),
    ...checkIds(userns),
    ...checkVolumes(userns),
    ...checkSecurity(userns),
  ];
  return reports.some(({rule}) => rule === 'capability-void' || severityOf(rule) === 'error');
}

const hostFields = {hostNetwork: 'network', hostPID: 'process ids', hostIPC: 'IPC'} as const;

/** Source: kubernetes pkg/apis/core/validation/validation.go validateHostUsers, 1.36. */
function hostNamespaces({pod, cluster}: RuleContext): Report[] {
  if (pod.hostUsers !== false) return [];
  return Object.entries(hostFields).flatMap(([name, what]) => {
    const field = pod.spec.get(name);
    if (field?.value !== true) return [];
    if (name === 'hostNetwork' && isOn('UserNamespacesHostNetworkSupport', cluster.api)) return [];
    const gate =
      name === 'hostNetwork'
        ? '; with the alpha gate UserNamespacesHostNetworkSupport (1.35 and newer) the two go together'
        : '';
    return [
      {
        rule: 'hostusers-host-namespace' as const,
        mark: field.mark,
        path: field.path,
        message: `${name} and hostUsers: false exclude each other: the node's ${what} belong to the node's user namespace, and the API server refuses the pod`,
        mend: `remove one of the two${gate}`,
      },
    ];
  });
}

function outcome({pod, cluster, isClusterKnown}: RuleContext): Report[] {
  if (pod.hostUsers !== false || !isClusterKnown) return [];
  const needs = {
    tmpfs: usesTmpfs(pod.spec, pod.volumes),
    hostNetwork: pod.spec.get('hostNetwork')?.value === true,
  };
  const field = pod.spec.get('hostUsers');
  const {reasons} = predictUserns(cluster, needs);
  const [first] = reasons;
  if (!first || first.outcome === 'honoured') return [];
  // Once it is ignored nothing behind that matters.
  const told = first.outcome === 'ignored' ? [first] : reasons.filter((reason) => reason.outcome === 'pending');
  return told.map(({outcome: came, layer, why, change}) => ({
    rule: came === 'ignored' ? ('hostusers-ignored' as const) : ('hostusers-pending' as const),
    mark: field?.mark ?? pod.workload.mark,
    path: `${pod.spec.path}.hostUsers`,
    message: `${layer}: ${why}`,
    mend: change,
  }));
}
