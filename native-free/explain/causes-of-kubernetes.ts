import type {Cause} from './cause.ts';

/** Why a cluster does not do what `hostUsers: false` asks. Source: kubernetes pkg/apis/core/validation, pkg/kubelet/kuberuntime, KEP-127 (1.25 to 1.37). */
export const causesOfKubernetes = {
  'runtime-without-userns': {
    layer: 'container engine',
    why: 'the runtime (or the handler of that RuntimeClass) does not say that it supports user namespaces: that takes containerd 2.0 or CRI-O 1.25, with runc 1.2 or crun 1.9 behind it, and Linux 6.3',
    mend: 'upgrade what is below that floor on the node; the pod starts by itself afterwards',
    look: [
      'kubectl get node NODE -o yaml | grep -A9 runtimeHandlers',
      'containerd --version; crio --version; runc --version; crun --version; uname -r',
    ],
  },
  'kubelet-gate-off': {
    layer: 'kubelet',
    why: 'the feature gate UserNamespacesSupport is off on that kubelet',
    mend: 'turn it on (`--feature-gates=UserNamespacesSupport=true`; on by default since 1.33)',
    look: ['kubectl get --raw /api/v1/nodes/NODE/proxy/configz'],
  },
  'hostusers-ignored': {
    layer: 'API server',
    why: 'hostUsers: false was accepted and nobody acted on it: an API server before 1.25 drops the field, a kubelet before 1.30 with its gate off ignores it, and so does containerd 1.6',
    mend: 'upgrade what is below; and look inside the pod, for the manifest proves nothing',
    look: ['kubectl exec POD -- cat /proc/self/uid_map'],
  },
  'host-namespaces-with-hostusers': {
    layer: 'API server',
    why: 'namespaces of the host (network, pid, ipc) belong to the initial user namespace, and root of the pod would have no power over them: together with hostUsers: false they are refused',
    mend: 'drop one of the two: hostNetwork/hostPID/hostIPC, or hostUsers: false',
    look: ['kubectl get pod POD -o yaml | grep -E "host(Users|Network|PID|IPC)"'],
  },
  'volume-devices-with-hostusers': {
    layer: 'API server',
    why: 'raw block volumes (volumeDevices) cannot have shifted ids: together with hostUsers: false they are refused since Kubernetes 1.34',
    mend: 'use a volume with a file system (volumeMounts), or leave hostUsers out',
    look: ['kubectl get pod POD -o yaml | grep -A3 volumeDevices'],
  },
  'unmasked-needs-hostusers': {
    layer: 'API server',
    why: 'procMount: Unmasked is for pods with hostUsers: false only',
    mend: 'set `hostUsers: false` too, or leave procMount out',
    look: ['kubectl explain pod.spec.containers.securityContext.procMount'],
  },
  'privileged-with-hostusers': {
    layer: 'container engine',
    why: 'a privileged pod with hostUsers: false is given a sandbox whose net namespace does not belong to its user namespace, so that sysfs cannot be mounted',
    mend: 'leave `privileged: true` out: with a user namespace, name the capabilities instead',
    look: ['kubectl get pod POD -o yaml | grep -E "privileged|hostUsers"'],
  },
  'kubelet-in-userns': {
    layer: 'kubelet',
    why: 'a kubelet (or engine) that runs in a user namespace itself cannot set sysctls, rlimits and oom scores of the machine',
    mend: 'give the kubelet the gate `KubeletInUserNamespace=true`, and use cgroup v2',
    look: ['cat /proc/self/uid_map', 'subroot doctor --problems'],
  },
} as const satisfies Record<string, Cause>;
