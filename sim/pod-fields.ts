import {readEnv, readEnvFrom} from './env-fields.ts';
import type {FieldReader} from './field-reader.ts';
import {readLife} from './life-fields.ts';
import type {
  ConfinementProfile,
  ContainerSecurityContext,
  PodContainer,
  PodDnsConfig,
  PodSecurityContext,
  PodSpec,
  RestartPolicy,
} from './pod.ts';
import {readVolume, readVolumeMount} from './volume-fields.ts';

/** Present keys only: `exactOptionalPropertyTypes` tells absent from undefined. */
type Present<T> = {[K in keyof T]?: Exclude<T[K], undefined>};
function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** The spec of a Pod. Defaults are the API server's. Source: kubernetes/api core/v1 PodSpec, 1.37. */
export function readPodSpec(spec: FieldReader): PodSpec {
  const os = spec.object('os');
  const osName = os?.string('name');
  os?.finish();
  const result: PodSpec = {
    ...present({
      hostUsers: spec.boolean('hostUsers'),
      shareProcessNamespace: spec.boolean('shareProcessNamespace'),
      hostname: spec.string('hostname'),
      subdomain: spec.string('subdomain') || undefined,
      dnsPolicy: readDnsPolicy(spec),
      runtimeClassName: spec.string('runtimeClassName'),
      os: osName === undefined ? undefined : {name: osName},
      dnsConfig: readDnsConfig(spec.object('dnsConfig')),
      activeDeadlineSeconds: spec.integer('activeDeadlineSeconds'),
      nodeName: spec.string('nodeName'),
      serviceAccountName: spec.string('serviceAccountName') ?? spec.string('serviceAccount'),
    }),
    setHostnameAsFQDN: spec.boolean('setHostnameAsFQDN') ?? false,
    hostAliases: spec.objects('hostAliases').map((alias) => {
      const result = {ip: alias.string('ip') ?? '', hostnames: alias.strings('hostnames') ?? []};
      alias.finish();
      return result;
    }),
    hostNetwork: spec.boolean('hostNetwork') ?? false,
    hostPID: spec.boolean('hostPID') ?? false,
    hostIPC: spec.boolean('hostIPC') ?? false,
    restartPolicy: (spec.string('restartPolicy') ?? 'Always') as RestartPolicy,
    terminationGracePeriodSeconds: spec.integer('terminationGracePeriodSeconds') ?? 30,
    securityContext: readPodSecurityContext(spec.object('securityContext')),
    imagePullSecrets: spec.objects('imagePullSecrets').map((reader) => {
      const name = reader.string('name') ?? '';
      reader.finish();
      return name;
    }),
    volumes: spec.objects('volumes').map(readVolume),
    initContainers: spec.objects('initContainers').map((reader) => readContainer(reader, 'init')),
    containers: spec.objects('containers').map((reader) => readContainer(reader, 'app')),
    ephemeralContainers: spec.objects('ephemeralContainers').map((reader) => readContainer(reader, 'ephemeral')),
  };
  spec.refuse('hostnameOverride', 'the pod would see another host name');
  spec.refuse('resourceClaims', 'the containers would miss their devices');
  spec.refuse('ephemeralContainers', 'subroot starts only init containers and containers');
  spec.notHonoured(
    ...['affinity', 'automountServiceAccountToken', 'nodeSelector', 'overhead', 'preemptionPolicy', 'priority'],
    ...['priorityClassName', 'readinessGates', 'resources', 'schedulerName', 'schedulingGates', 'schedulingGroup'],
    ...['serviceAccount', 'serviceAccountName', 'tolerations'],
    ...['topologySpreadConstraints', 'workloadRef'],
  );
  spec.finish();
  return result;
}

function readDnsPolicy(spec: FieldReader): string | undefined {
  // There are no services that links could be of.
  spec.boolean('enableServiceLinks');
  const policy = spec.string('dnsPolicy');
  if (policy?.startsWith('ClusterFirst'))
    spec.warnOf(
      'dnsPolicy',
      'there is no cluster here, so this brings no name server; None and Default do what they say',
    );
  return policy;
}

function readDnsConfig(reader: FieldReader | undefined): PodDnsConfig | undefined {
  if (!reader) return undefined;
  const options = reader.objects('options').map((option) => {
    const name = option.string('name') ?? '';
    const value = option.string('value');
    option.finish();
    return value === undefined ? name : `${name}:${value}`;
  });
  const config = {servers: reader.strings('nameservers') ?? [], searches: reader.strings('searches') ?? [], options};
  reader.finish();
  return config;
}

function readPodSecurityContext(reader: FieldReader | undefined): PodSecurityContext {
  if (!reader) return {supplementalGroups: [], sysctls: {}};
  const sysctls = reader.objects('sysctls').map((sysctl): [string, string] => {
    const pair: [string, string] = [sysctl.string('name') ?? '', sysctl.string('value') ?? ''];
    sysctl.finish();
    return pair;
  });
  const repeated = sysctls.flatMap(([name], i) => (sysctls.findIndex(([other]) => other === name) < i ? [name] : []));
  const context: PodSecurityContext = {
    ...present({
      runAsUser: reader.integer('runAsUser'),
      runAsGroup: reader.integer('runAsGroup'),
      runAsNonRoot: reader.boolean('runAsNonRoot'),
      supplementalGroupsPolicy: reader.string('supplementalGroupsPolicy'),
      ...readConfinement(reader),
      fsGroup: reader.integer('fsGroup'),
      fsGroupChangePolicy: reader.string('fsGroupChangePolicy'),
    }),
    supplementalGroups: reader.integers('supplementalGroups') ?? [],
    sysctls: Object.fromEntries(sysctls),
    ...(repeated.length > 0 ? {repeatedSysctls: repeated} : {}),
  };
  reader.notHonoured('seLinuxChangePolicy');
  reader.finish();
  return context;
}

function readConfinement(
  reader: FieldReader,
): Pick<PodSecurityContext, 'seccompProfile' | 'appArmorProfile' | 'seLinuxOptions'> {
  reader.refuse('windowsOptions', 'subroot runs Linux pods');
  const label = reader.object('seLinuxOptions');
  const fields = present({
    seccompProfile: readProfile(reader.object('seccompProfile')),
    appArmorProfile: readProfile(reader.object('appArmorProfile')),
    seLinuxOptions:
      label &&
      present({
        user: label.string('user'),
        role: label.string('role'),
        type: label.string('type'),
        level: label.string('level'),
      }),
  });
  label?.finish();
  return fields;
}

function readProfile(reader: FieldReader | undefined): ConfinementProfile | undefined {
  if (!reader) return undefined;
  const profile = {
    type: reader.string('type') ?? '',
    ...present({localhostProfile: reader.string('localhostProfile')}),
  };
  reader.finish();
  return profile;
}

function readContainer(reader: FieldReader, role: 'init' | 'app' | 'ephemeral'): PodContainer {
  const container: PodContainer = {
    ...present({
      workingDir: reader.string('workingDir'),
      imagePullPolicy: reader.string('imagePullPolicy') || undefined,
    }),
    ...readLife(reader),
    name: reader.string('name') ?? '',
    image: reader.string('image') ?? '',
    command: reader.strings('command') ?? [],
    args: reader.strings('args') ?? [],
    env: reader.objects('env').map(readEnv),
    envFrom: reader.objects('envFrom').map(readEnvFrom),
    stdin: reader.boolean('stdin') ?? false,
    stdinOnce: reader.boolean('stdinOnce') ?? false,
    tty: reader.boolean('tty') ?? false,
    volumeMounts: reader.objects('volumeMounts').map(readVolumeMount),
    volumeDevices: reader.objects('volumeDevices').map((device) => {
      const result = {name: device.string('name') ?? '', devicePath: device.string('devicePath') ?? ''};
      device.finish();
      return result;
    }),
    securityContext: readSecurityContext(reader.object('securityContext')),
    resources: readResources(reader.object('resources')),
    hasTerminationFile: reader.has('terminationMessagePath') || reader.has('terminationMessagePolicy'),
    terminationMessagePath: reader.string('terminationMessagePath') ?? '/dev/termination-log',
    terminationMessagePolicy: reader.string('terminationMessagePolicy') ?? 'File',
  };
  reader.refuse('volumeDevices', 'the devices would be missing');
  reader.notHonoured('resizePolicy', ...(role === 'ephemeral' ? ['targetContainerName'] : []));
  reader.finish();
  return container;
}

function readResources(reader: FieldReader | undefined): PodContainer['resources'] {
  if (!reader) return {limits: {}, requests: {}};
  const resources = {limits: reader.quantities('limits'), requests: reader.quantities('requests')};
  reader.ignore('claims');
  reader.finish();
  for (const name of new Set([...Object.keys(resources.limits), ...Object.keys(resources.requests)])) {
    const path = reader.pathOf(`limits[${name}]`);
    if (name.includes('/')) reader.findings.refuse(reader.at, path, 'the container would miss its devices');
    if (name === 'ephemeral-storage') {
      const text = `known to Kubernetes, not yet honoured by subroot: ${path} (nothing counts a container's files)`;
      reader.findings.warn('not-honoured', reader.at, path, text);
    }
  }
  return resources;
}

function readSecurityContext(reader: FieldReader | undefined): ContainerSecurityContext {
  if (!reader) return {privileged: false, readOnlyRootFilesystem: false, capabilities: {add: [], drop: []}};
  const capabilities = reader.object('capabilities');
  const context: ContainerSecurityContext = {
    ...present({
      runAsUser: reader.integer('runAsUser'),
      runAsGroup: reader.integer('runAsGroup'),
      runAsNonRoot: reader.boolean('runAsNonRoot'),
      allowPrivilegeEscalation: reader.boolean('allowPrivilegeEscalation'),
      procMount: reader.string('procMount'),
      ...readConfinement(reader),
    }),
    privileged: reader.boolean('privileged') ?? false,
    readOnlyRootFilesystem: reader.boolean('readOnlyRootFilesystem') ?? false,
    capabilities: {add: capabilities?.strings('add') ?? [], drop: capabilities?.strings('drop') ?? []},
  };
  capabilities?.finish();
  reader.finish();
  return context;
}
