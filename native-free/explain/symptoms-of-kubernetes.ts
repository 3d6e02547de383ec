import type {Symptom} from './symptom.ts';

/** Messages of API servers, kubelets, containerd and CRI-O. */
export const symptomsOfKubernetes: readonly Symptom[] = [
  {
    source: 'Kubernetes',
    example: "can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    pattern: /runtime does not support user ?namespaces/i,
    causes: ['runtime-without-userns'],
  },
  {
    source: 'Kubernetes',
    example: 'RuntimeClass handler "runc" does not support user namespaces',
    pattern: /RuntimeClass handler "(?<handler>[^"]*)" does not support user ?namespaces/i,
    causes: ['runtime-without-userns'],
  },
  {
    source: 'Kubernetes',
    example: 'feature gate "UserNamespacesSupport" is disabled: can\'t set spec.HostUsers',
    pattern: /(?:feature gate "?UserNamespacesSupport"? is disabled|UserNamespacesSupport feature gate is disabled)/i,
    causes: ['kubelet-gate-off'],
  },
  {
    source: 'Kubernetes',
    example: 'create user namespace manager: record pod mappings: id 626982912 is out of range',
    pattern: /record pod mappings: (?:id )?(?<id>\d+) is out of range/i,
    causes: ['pool-narrowed'],
  },
  {
    source: 'Kubernetes',
    example: 'create user namespace manager: the number of user namespaces the kubelet can create must be',
    pattern: /create user namespace manager: (?!record pod mappings|.*executable file not found)/i,
    causes: ['pool-shape', 'nss-tool-missing'],
  },
  {
    source: 'Kubernetes',
    example: 'exec: "getsubids": executable file not found in $PATH',
    pattern: /exec: "(?<tool>getsubids|getent)": executable file not found/i,
    causes: ['nss-tool-missing'],
  },
  {
    source: 'Kubernetes',
    example: 'could not find an empty slot to allocate a user namespace',
    pattern: /could not find an empty slot to allocate a user namespace/i,
    causes: ['pool-exhausted'],
  },
  {
    source: 'Kubernetes',
    example: 'spec.hostNetwork: Forbidden: when `hostUsers` is false',
    pattern: /spec\.host(?:Network|PID|IPC): Forbidden: when `?(?:pod\.Spec\.)?HostUsers`? is false/i,
    causes: ['host-namespaces-with-hostusers'],
  },
  {
    source: 'Kubernetes',
    example: 'spec.containers[0].volumeDevices: Forbidden: when `hostUsers` is false',
    pattern: /volumeDevices: Forbidden: when `?(?:pod\.Spec\.)?HostUsers`? is false/i,
    causes: ['volume-devices-with-hostusers'],
  },
  {
    source: 'Kubernetes',
    example: 'procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
    pattern: /`?hostUsers`? must be false to use `?Unmasked`?/i,
    causes: ['unmasked-needs-hostusers'],
  },
  {
    source: 'containerd and CRI-O',
    example:
      'snapshotter "overlayfs" doesn\'t support idmap mounts on this host, configure `slow_chown` to allow a slower and expensive fallback',
    pattern: /snapshotter "(?<snapshotter>[^"]*)" doesn't support idmap mounts on this host/i,
    causes: ['snapshotter-no-idmap', 'idmap-unsupported'],
  },
  {
    source: 'containerd and CRI-O',
    example: 'could not find enough available IDs',
    pattern: /could not find enough available IDs/i,
    causes: ['pool-exhausted'],
  },
  {
    source: 'containerd and CRI-O',
    example: 'not enough unused IDs in user namespace',
    pattern: /not enough unused IDs in user namespace/i,
    causes: ['pool-exhausted'],
  },
  {
    source: 'containerd and CRI-O',
    example: 'no subuid ranges found for user "containers" in /etc/subuid',
    pattern: /no subuid ranges found for user "containers"/i,
    causes: ['subid-owner-without-account', 'subid-none', 'subid-line-unread'],
  },
];
