import type {Report} from './finding.ts';
import {canIdmap, type IdmapSupport, idmapSupport} from './idmap-file-systems.ts';
import {type ContainerView, isWritable, type PodView} from './pod-view.ts';
import type {RuleContext} from './rule-context.ts';
import {behindVolume} from './volume-file-system.ts';

/** Rules about what a pod with a user namespace mounts. */
export function checkVolumes(context: RuleContext): Report[] {
  if (context.pod.hostUsers !== false) return [];
  return [
    ...stateless(context),
    ...devices(context),
    ...fileSystems(context),
    ...hostPaths(context),
    ...setuid(context),
    ...nodes(context),
  ];
}

const statelessTypes: ReadonlySet<string> = new Set(['configMap', 'secret', 'downwardAPI', 'projected', 'emptyDir']);

/** Source: kubernetes pkg/apis/core/validation/validation.go, 1.25 to 1.27; PR 118691 lifted it. */
function stateless({pod, cluster}: RuleContext): Report[] {
  if (cluster.api.minor < 25 || cluster.api.minor > 27) return [];
  return pod.volumes
    .filter(({type}) => !statelessTypes.has(type))
    .map(({spot, name, type}) => ({
      rule: 'hostusers-stateless-volumes',
      mark: spot.mark,
      path: spot.path,
      message: `Kubernetes 1.${cluster.api.minor} takes only configMap, secret, downwardAPI, projected and emptyDir with hostUsers: false, and volume ${name} is ${article(type)}`,
      mend: 'upgrade to 1.28 or newer, or do without this volume',
    }));
}

/** Source: kubernetes PR 132868, 1.34. */
function devices({pod, cluster}: RuleContext): Report[] {
  return pod.containers.flatMap(({spot, name}) => {
    const field = spot.get('volumeDevices');
    if (!field || field.items.length === 0) return [];
    const refused = cluster.api.minor >= 34;
    return [
      {
        rule: 'hostusers-volume-devices' as const,
        mark: field.mark,
        path: field.path,
        message: refused
          ? `container ${name} takes a raw block device, which belongs to the node's root: the API server refuses it with hostUsers: false`
          : `container ${name} takes a raw block device, which belongs to the node's root: with hostUsers: false it cannot open it (from 1.34 on the API server refuses the pod)`,
        mend: 'mount the volume as a file system, or keep hostUsers: true for this pod',
      },
    ];
  });
}

function fileSystems({pod, cluster, storage}: RuleContext): Report[] {
  // Before 1.27 nothing was idmapped.
  if (cluster.kubelet.minor <= 26) return [];
  return pod.volumes.flatMap((volume): Report[] => {
    const behind = behindVolume(volume, storage);
    if (!behind) return [];
    const {fileSystem, since, only}: IdmapSupport = idmapSupport[behind.fileSystem];
    const can = canIdmap(behind.fileSystem, cluster.kernel);
    const base = {mark: volume.spot.mark, path: volume.spot.path};
    const who = `volume ${volume.name} (${behind.how})`;
    if (can === false) {
      return [
        {
          ...base,
          rule: 'volume-without-idmap',
          message:
            since === 'never'
              ? `${who} is ${fileSystem}, and no kernel can mount that with shifted ids yet: the container is not created`
              : `${who} is ${fileSystem}, which Linux ${cluster.kernel?.text} cannot mount with shifted ids: the container is not created`,
          mend:
            since === 'never' || since === 'unknown'
              ? 'use a volume of another file system (ext4, xfs, btrfs), or keep hostUsers: true for this pod'
              : `use Linux ${since.join('.')} or newer${only === undefined ? '' : ` (${only})`}, or another volume`,
        },
      ];
    }
    if (since === 'unknown') {
      return [
        {
          ...base,
          rule: 'volume-unknown-file-system',
          message: `the file system behind ${who} cannot be told from here, and it must be one that is mounted with shifted ids`,
          mend: 'look at it on a node: `findmnt -no FSTYPE --target PATH`; ext4, xfs and btrfs can, NFS and SMB cannot',
        },
      ];
    }
    const isNew = since !== 'never' && since[0] * 100 + since[1] > 603;
    if (!isNew || (can === true && only === undefined)) return [];
    return [
      {
        ...base,
        rule: 'volume-unknown-file-system',
        message: `${who} is ${fileSystem}, which is mounted with shifted ids from Linux ${since.join('.')} on${only === undefined ? '' : `; ${only}`}`,
        mend: 'give --kernel to check it, and try one pod first: the container is not created when it cannot',
      },
    ];
  });
}

/** Sockets whose owner does as root what he is told. */
const powerfulSockets = /(docker|containerd|crio|podman|cri-dockerd|buildkitd|kubelet|dockershim)[^/]*\.sock$/;

function hostPaths({pod}: RuleContext): Report[] {
  return pod.volumes
    .filter(({type}) => type === 'hostPath')
    .map(({spot, name, source}) => {
      const path = source?.get('path')?.text ?? '';
      const socket = powerfulSockets.test(path);
      return {
        rule: 'hostpath-not-isolated' as const,
        mark: (source?.get('path') ?? spot).mark,
        path: spot.path,
        message: socket
          ? `volume ${name} is ${path}: through this socket the pod has the node's root do what it wants, user namespace or not`
          : `the ids of hostPath ${path || name} are shifted like those of other volumes: root in the container reads and writes it as the node's root`,
        mend: socket
          ? 'do without the socket'
          : 'use another kind of volume; where it must be, mount it `readOnly: true` and give it a folder of its own that root alone can enter',
      };
    });
}

/** Types whose files outlive the pod, so that others find what it left. */
const persistent: ReadonlySet<string> = new Set([
  'hostPath',
  'persistentVolumeClaim',
  'volumeClaimTemplate',
  'csi',
  'iscsi',
  'fc',
  'rbd',
]);

function setuid({pod}: RuleContext): Report[] {
  return pod.volumes
    .filter((volume) => persistent.has(volume.type) && isWritable(pod, volume) && writersMayBeRoot(pod, volume.name))
    .map(({spot, name}) => ({
      rule: 'setuid-on-volume',
      mark: spot.mark,
      path: spot.path,
      message: `what the container's root writes to volume ${name} belongs to uid 0 on disk, setuid bits and file capabilities included: whoever runs such a file outside the pod runs it as root`,
      mend: 'mount the volume nosuid wherever else it is used, or run the containers that write to it as another user',
    }));
}

function writersMayBeRoot(pod: PodView, volume: string): boolean {
  return (pod.mounts.get(volume) ?? []).some(
    ({container, mount}) => mount.get('readOnly')?.value !== true && mayBeRoot(pod, container),
  );
}

/** Neither a user other than 0 nor `runAsNonRoot` is set for the container. */
export function mayBeRoot(pod: PodView, {securityContext}: ContainerView): boolean {
  const user = (securityContext?.get('runAsUser') ?? pod.securityContext?.get('runAsUser'))?.number;
  const nonRoot = (securityContext?.get('runAsNonRoot') ?? pod.securityContext?.get('runAsNonRoot'))?.value;
  return user === undefined ? nonRoot !== true : user === 0;
}

/** Resources that a device plug-in serves by putting device nodes into the container. */
export function deviceResources({spot}: ContainerView): {name: string; spot: PodView['spec']}[] {
  const limits = spot.at('resources', 'limits')?.entries ?? [];
  return limits
    .filter(([name]) => name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name))
    .map(([name, field]) => ({name, spot: field}));
}

function nodes({pod}: RuleContext): Report[] {
  return pod.containers.flatMap((container) =>
    deviceResources(container).map(({name, spot}) => ({
      rule: 'device-permissions' as const,
      mark: spot.mark,
      path: spot.path,
      message: `the device nodes of ${name} belong to the node's root, which is nobody in the pod: only their mode bits for others count`,
      mend: 'look at the device nodes on the node (`ls -l /dev`): they must be readable and writable by others (0666)',
    })),
  );
}

function article(type: string): string {
  return type === 'volumeClaimTemplate' ? 'a persistentVolumeClaim' : `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`;
}
