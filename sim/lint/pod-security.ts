import {OLDEST_MINOR} from '../kubernetes-versions.ts';
import type {Component} from './node-versions.ts';
import {isOn} from './node-versions.ts';
import type {ContainerView, PodView} from './pod-view.ts';
import type {Spot} from './spot.ts';

export type PodSecurityLevel = 'privileged' | 'baseline' | 'restricted';
export const podSecurityLevels: readonly PodSecurityLevel[] = ['privileged', 'baseline', 'restricted'];

/** A check of Pod Security that a pod does not pass. */
export interface FailedCheck {
  /** The id in kubernetes' own code, such as `capabilities_restricted`. */
  readonly check: string;
  /** The lowest level that has it. */
  readonly level: 'baseline' | 'restricted';
  /** What fails: `container "web" adds NET_ADMIN`. */
  readonly why: string;
  /** The field that fails; absent when one is missing. */
  readonly spot?: Spot;
}

export interface PodSecurityOptions {
  /** Minor of the policy, from the label `…/enforce-version`; the API server's own by default. */
  readonly policyMinor?: number;
  readonly api: Component;
  /** Judge the pod as if `hostUsers` were this. */
  readonly hostUsers?: boolean;
}

interface Policy {
  readonly minor: number;
  readonly apiMinor: number;
  /** Checks about root are waived. */
  readonly relaxed: boolean;
  /** Whether procMount is waived at level baseline. */
  readonly relaxedProcMount: boolean;
  readonly isWindows: boolean;
}

interface Check {
  readonly id: string;
  readonly level: 'baseline' | 'restricted';
  readonly since?: number;
  /** From that minor of the policy on, Windows pods are exempt. */
  readonly exemptsWindows?: boolean;
  /** The baseline check that this one stands for at level restricted. */
  readonly overrides?: string;
  readonly find: (pod: PodView, policy: Policy) => readonly {readonly why: string; readonly spot?: Spot}[];
}

/**
 * The checks that a pod fails, those of baseline first. A restricted check that overrides a failed baseline check of the same field is told
 * as well: it is what level restricted says. Source: kubernetes pod-security-admission policy/check_*.go, 1.25 to 1.36.
 */
export function failedChecks(pod: PodView, options: PodSecurityOptions): readonly FailedCheck[] {
  const policy = policyOf(pod, options);
  return checks
    .filter(({since = 0, exemptsWindows}) => policy.minor >= since && !(exemptsWindows && policy.isWindows))
    .flatMap(({id, level, find}) => find(pod, policy).map((found) => ({check: id, level, ...found})));
}

/** The strictest level whose checks all pass. */
export function podSecurityLevel(failed: readonly FailedCheck[]): PodSecurityLevel {
  if (failed.some(({level}) => level === 'baseline')) return 'privileged';
  return failed.length > 0 ? 'baseline' : 'restricted';
}

/** Those that a level is refused for: a check that a restricted one overrides is told once. */
export function checksAgainst(failed: readonly FailedCheck[], level: PodSecurityLevel): readonly FailedCheck[] {
  if (level === 'privileged') return [];
  if (level === 'baseline') return failed.filter((each) => each.level === 'baseline');
  const overridden = new Set(
    checks.filter(({id}) => failed.some(({check}) => check === id)).map(({overrides}) => overrides),
  );
  return failed.filter(({check}) => !overridden.has(check));
}

function policyOf(pod: PodView, {policyMinor, api, hostUsers = pod.hostUsers}: PodSecurityOptions): Policy {
  const apiMinor = Math.max(api.minor, OLDEST_MINOR);
  // A policy newer than the server is the server's newest.
  const minor = Math.min(policyMinor ?? apiMinor, apiMinor);
  const asked = hostUsers === false;
  const gate = asked && isOn('UserNamespacesPodSecurityStandards', api);
  return {
    minor,
    apiMinor,
    relaxed: asked && (minor >= 35 || gate),
    relaxedProcMount: asked && (minor >= 35 || (gate && apiMinor >= 31)),
    isWindows: pod.spec.at('os', 'name')?.text === 'windows' && minor >= 25,
  };
}

const named = ({name}: ContainerView) => `container ${JSON.stringify(name)}`;
type Finding = {readonly why: string; readonly spot?: Spot};

/** One finding for each container whose field fails. */
function inContainers(
  pod: PodView,
  find: (container: ContainerView) => Finding | readonly Finding[] | undefined,
): readonly Finding[] {
  return pod.containers.flatMap((container) => find(container) ?? []);
}

/** The securityContexts of pod and containers, with how a message calls their holder. */
function contexts(pod: PodView): readonly {context: Spot; holder: string}[] {
  return [
    ...(pod.securityContext ? [{context: pod.securityContext, holder: 'the pod'}] : []),
    ...pod.containers.flatMap((container) =>
      container.securityContext ? [{context: container.securityContext, holder: named(container)}] : [],
    ),
  ];
}

const baselineCapabilities: ReadonlySet<string> = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP'],
  ...['SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);

const safeSysctls: readonly (readonly [since: number, ...names: string[]])[] = [
  [
    0,
    'kernel.shm_rmid_forced',
    'net.ipv4.ip_local_port_range',
    'net.ipv4.tcp_syncookies',
    'net.ipv4.ping_group_range',
    'net.ipv4.ip_unprivileged_port_start',
  ],
  [27, 'net.ipv4.ip_local_reserved_ports'],
  [
    29,
    'net.ipv4.tcp_keepalive_time',
    'net.ipv4.tcp_fin_timeout',
    'net.ipv4.tcp_keepalive_intvl',
    'net.ipv4.tcp_keepalive_probes',
  ],
  [32, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'],
];

const seLinuxTypes: readonly (readonly [since: number, ...names: string[]])[] = [
  [0, '', 'container_t', 'container_init_t', 'container_kvm_t'],
  [31, 'container_engine_t'],
];

const allowedBy = (table: typeof safeSysctls, minor: number, name: string): boolean =>
  table.some(([since, ...names]) => minor >= since && names.includes(name));

const restrictedVolumeTypes: ReadonlySet<string> = new Set([
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'],
  'volumeClaimTemplate',
]);

const profileTypes: ReadonlySet<string> = new Set(['RuntimeDefault', 'Localhost']);

const checks: readonly Check[] = [
  {
    id: 'privileged',
    level: 'baseline',
    find: (pod) =>
      inContainers(pod, (container) => {
        const spot = container.securityContext?.get('privileged');
        return spot?.value === true ? {why: `${named(container)} is privileged`, spot} : undefined;
      }),
  },
  {
    id: 'capabilities_baseline',
    level: 'baseline',
    find: (pod) => addedBeyond(pod, baselineCapabilities),
  },
  {
    id: 'hostNamespaces',
    level: 'baseline',
    find: ({spec}) =>
      ['hostNetwork', 'hostPID', 'hostIPC'].flatMap((name) => {
        const spot = spec.get(name);
        return spot?.value === true ? [{why: `${name} is true`, spot}] : [];
      }),
  },
  {
    id: 'hostPorts',
    level: 'baseline',
    find: (pod) =>
      inContainers(pod, (container) =>
        (container.spot.get('ports')?.items ?? []).flatMap((port) => {
          const spot = port.get('hostPort');
          return spot && spot.value !== 0 ? [{why: `${named(container)} takes host port ${spot.value}`, spot}] : [];
        }),
      ),
  },
  {
    id: 'hostPathVolumes',
    level: 'baseline',
    find: ({volumes}) =>
      volumes
        .filter(({type}) => type === 'hostPath')
        .map(({name, spot}) => ({why: `volume "${name}" is a hostPath`, spot})),
  },
  {
    id: 'seLinuxOptions',
    level: 'baseline',
    find: (pod, {minor}) =>
      contexts(pod).flatMap(({context, holder}) => {
        const options = context.get('seLinuxOptions');
        const type = options?.get('type');
        return [
          ...(type && !allowedBy(seLinuxTypes, minor, type.text ?? '')
            ? [{why: `${holder} sets SELinux type ${type.value}`, spot: type}]
            : []),
          ...['user', 'role'].flatMap((name) => {
            const spot = options?.get(name);
            return spot && spot.text !== '' ? [{why: `${holder} sets the SELinux ${name}`, spot}] : [];
          }),
        ];
      }),
  },
  {
    id: 'procMount',
    level: 'baseline',
    find: (pod, {relaxedProcMount}) => (relaxedProcMount ? [] : unusualProcMounts(pod)),
  },
  {
    id: 'seccompProfile_baseline',
    level: 'baseline',
    find: (pod) => badProfiles(pod, 'seccompProfile'),
  },
  {
    id: 'appArmorProfile',
    level: 'baseline',
    find: (pod) => [
      ...badProfiles(pod, 'appArmorProfile'),
      ...(pod.metadata?.get('annotations')?.entries ?? []).flatMap(([name, spot]) =>
        name.startsWith('container.apparmor.security.beta.kubernetes.io/') &&
        !/^(runtime\/default|localhost\/.*)?$/.test(spot.text ?? '-')
          ? [{why: `annotation ${name} is ${spot.value}`, spot}]
          : [],
      ),
    ],
  },
  {
    id: 'sysctls',
    level: 'baseline',
    find: ({securityContext}, {minor}) =>
      (securityContext?.get('sysctls')?.items ?? []).flatMap((sysctl) => {
        const spot = sysctl.get('name');
        return spot && !allowedBy(safeSysctls, minor, spot.text ?? '')
          ? [{why: `sysctl ${spot.value} is not a safe one`, spot}]
          : [];
      }),
  },
  {
    id: 'windowsHostProcess',
    level: 'baseline',
    find: (pod) =>
      contexts(pod).flatMap(({context, holder}) => {
        const spot = context.at('windowsOptions', 'hostProcess');
        return spot?.value === true ? [{why: `${holder} is a host process`, spot}] : [];
      }),
  },
  {
    id: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    since: 34,
    find: (pod) =>
      inContainers(pod, (container) =>
        [
          ...['livenessProbe', 'readinessProbe', 'startupProbe'].map((name) => container.spot.get(name)),
          ...['postStart', 'preStop'].map((name) => container.spot.at('lifecycle', name)),
        ].flatMap((handler) =>
          ['httpGet', 'tcpSocket'].flatMap((kind) => {
            const spot = handler?.at(kind, 'host');
            return spot && spot.text !== ''
              ? [{why: `${named(container)} probes or calls host ${spot.value}`, spot}]
              : [];
          }),
        ),
      ),
  },
  {
    id: 'restrictedVolumes',
    level: 'restricted',
    overrides: 'hostPathVolumes',
    find: ({volumes}, {apiMinor}) =>
      volumes
        // kubernetes PR 130394 lets image volumes pass, whatever the policy's version.
        .filter(({type}) => !restrictedVolumeTypes.has(type) && !(type === 'image' && apiMinor >= 33))
        .map(({name, type, spot}) => ({why: `volume "${name}" is of type ${type}`, spot})),
  },
  {
    id: 'runAsNonRoot',
    level: 'restricted',
    find: (pod, {relaxed}) => (relaxed ? [] : rootAllowed(pod)),
  },
  {
    id: 'runAsUser',
    level: 'restricted',
    since: 23,
    find: (pod, {relaxed}) =>
      relaxed
        ? []
        : contexts(pod).flatMap(({context, holder}) => {
            const spot = context.get('runAsUser');
            return spot?.value === 0 ? [{why: `${holder} sets runAsUser 0`, spot}] : [];
          }),
  },
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    since: 8,
    exemptsWindows: true,
    find: (pod) =>
      inContainers(pod, (container) => {
        const spot = container.securityContext?.get('allowPrivilegeEscalation');
        if (spot?.value === false) return undefined;
        return {why: `${named(container)} does not set allowPrivilegeEscalation: false`, ...(spot ? {spot} : {})};
      }),
  },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    since: 19,
    exemptsWindows: true,
    overrides: 'seccompProfile_baseline',
    find: (pod) => [...badProfiles(pod, 'seccompProfile'), ...missingSeccomp(pod)],
  },
  {
    id: 'capabilities_restricted',
    level: 'restricted',
    since: 22,
    exemptsWindows: true,
    overrides: 'capabilities_baseline',
    find: (pod) => [
      ...inContainers(pod, (container) => {
        const spot = container.securityContext?.at('capabilities', 'drop');
        if (spot?.items.some((item) => item.text === 'ALL')) return undefined;
        return {why: `${named(container)} does not drop ALL capabilities`, ...(spot ? {spot} : {})};
      }),
      ...addedBeyond(pod, new Set(['NET_BIND_SERVICE'])),
    ],
  },
  {
    id: 'procMount_restricted',
    level: 'restricted',
    overrides: 'procMount',
    // Before 1.35 it is the check of baseline that refuses, unless the alpha gate has waived that one.
    find: (pod, {minor, relaxedProcMount}) => (minor >= 35 || relaxedProcMount ? unusualProcMounts(pod) : []),
  },
];

/** Ids of all checks, as kubernetes has them. */
export const podSecurityCheckIds: readonly string[] = checks.map(({id}) => id);

function addedBeyond(pod: PodView, allowed: ReadonlySet<string>): readonly Finding[] {
  return inContainers(pod, (container) =>
    (container.securityContext?.at('capabilities', 'add')?.items ?? [])
      .filter(({text}) => text !== undefined && !allowed.has(text))
      .map((spot) => ({why: `${named(container)} adds ${spot.value}`, spot})),
  );
}

function unusualProcMounts(pod: PodView): readonly Finding[] {
  return inContainers(pod, (container) => {
    const spot = container.securityContext?.get('procMount');
    return spot && spot.value !== 'Default'
      ? {why: `${named(container)} sets procMount ${spot.value}`, spot}
      : undefined;
  });
}

function badProfiles(pod: PodView, name: 'seccompProfile' | 'appArmorProfile'): readonly Finding[] {
  return contexts(pod).flatMap(({context, holder}) => {
    const profile = context.get(name);
    const type = profile?.get('type');
    return profile && !profileTypes.has(type?.text ?? '')
      ? [{why: `${holder} sets ${name} ${type?.value ?? 'without a type'}`, spot: type ?? profile}]
      : [];
  });
}

/** A profile of the pod counts for containers without one, but only a good one. */
function missingSeccomp(pod: PodView): readonly Finding[] {
  const ofPod = pod.securityContext?.at('seccompProfile', 'type')?.text ?? '';
  if (profileTypes.has(ofPod)) return [];
  return inContainers(pod, (container) =>
    container.securityContext?.get('seccompProfile')
      ? undefined
      : {why: `neither the pod nor ${named(container)} sets a seccompProfile`},
  );
}

function rootAllowed(pod: PodView): readonly Finding[] {
  const ofPod = pod.securityContext?.get('runAsNonRoot');
  const wrong = contexts(pod).flatMap(({context, holder}) => {
    const spot = context.get('runAsNonRoot');
    return spot?.value === false ? [{why: `${holder} sets runAsNonRoot: false`, spot}] : [];
  });
  if (ofPod?.value === true) return wrong;
  return [
    ...wrong,
    ...inContainers(pod, (container) =>
      container.securityContext?.get('runAsNonRoot')
        ? undefined
        : {why: `neither the pod nor ${named(container)} sets runAsNonRoot: true`},
    ),
  ];
}
