import {examplePod, type LintRule} from './rule.ts';

const fine = {text: examplePod(['hostUsers: false'])};

/** Rules about the field `hostUsers` and what the cluster makes of it. */
export const hostUsersRules = {
  'hostusers-misspelt': {
    title: 'a name that is meant for hostUsers and is not it',
    severity: 'error',
    about: 'hostUsers',
    versions: 'all',
    text: 'Seen in the wild: `hostUser`, `securityContext.userns`, `userNamespace`. No version of the API has them. Where an unknown field is dropped, the pod runs as root of the node and nothing says so.',
    bad: {text: examplePod(['hostUser: false'])},
    good: fine,
  },
  'hostusers-misplaced': {
    title: 'hostUsers in another place than the spec of the pod',
    severity: 'error',
    about: 'hostUsers',
    versions: 'all',
    text: 'It is one field for the whole pod: not of a container, not of a securityContext, and in a Deployment not of its spec but of `spec.template.spec`.',
    bad: {text: examplePod(['securityContext:', '  hostUsers: false'])},
    good: fine,
  },
  'crio-userns-annotation': {
    title: "CRI-O's own annotation instead of hostUsers",
    severity: 'warning',
    about: 'hostUsers',
    versions: 'all',
    text: '`io.kubernetes.cri-o.userns-mode` came before KEP-127. Only CRI-O reads it, and only for handlers whose configuration allows it; the API server validates nothing, the kubelet reserves no ids, and Pod Security does not count it.',
    bad: {
      text: examplePod(['hostUsers: false']).replace(
        '  name: web\nspec',
        '  name: web\n  annotations:\n    io.kubernetes.cri-o.userns-mode: auto\nspec',
      ),
    },
    good: fine,
  },
  'hostusers-unset': {
    title: 'a pod that shares the user namespace of its node',
    severity: 'info',
    about: 'hostUsers',
    versions: '1.25 and newer',
    text: 'Absent means true. Root in the container is then root on the node: a way out of the container is a way into the node. Nothing that this pod is known to do stands against a user namespace, or the rule would be silent; `--review` tells more.',
    bad: {text: examplePod(['hostUsers: true'])},
    good: fine,
  },
  'hostusers-host-namespace': {
    title: 'hostUsers: false together with a namespace of the node',
    severity: 'error',
    about: 'hostUsers',
    versions:
      '1.25 and newer; hostNetwork is allowed from 1.35 on behind the alpha gate UserNamespacesHostNetworkSupport',
    text: "The node's network, process ids and IPC belong to the node's user namespace. The API server refuses hostPID, hostIPC and hostNetwork with hostUsers: false.",
    bad: {text: examplePod(['hostUsers: false', 'hostPID: true'])},
    good: {text: examplePod(['hostUsers: false', 'hostPID: false'])},
  },
  'hostusers-windows': {
    title: 'hostUsers in a Windows pod',
    severity: 'error',
    about: 'hostUsers',
    versions: '1.25 and newer',
    text: 'The API server refuses the field for `os.name: windows`, whatever its value.',
    bad: {text: examplePod(['hostUsers: false', 'os:', '  name: windows'])},
    good: {text: examplePod(['hostUsers: false', 'os:', '  name: linux'])},
  },
  'hostusers-ignored': {
    title: 'hostUsers: false that the cluster ignores in silence',
    severity: 'error',
    about: 'hostUsers',
    versions: 'API server before 1.33 without its gate; kubelet before 1.30; containerd before 1.7',
    text: 'The pod starts, its root is root of the node, and nothing says so. Told when something of the cluster is given: `--kubernetes`, `--kubelet`, `--runtime`, `--feature-gates`. What decides is the weakest of API server, kubelet and runtime.',
    bad: {...fine, kubernetes: '1.29'},
    good: {...fine, kubernetes: '1.33'},
  },
  'hostusers-pending': {
    title: 'hostUsers: false with which the pod does not start',
    severity: 'error',
    about: 'hostUsers',
    versions: 'runtimes before containerd 2.0, CRI-O 1.30, runc 1.2, crun 1.9; Linux before 6.3',
    text: 'The pod is bound to a node and stays in ContainerCreating; the kubelet tries again and says why in the events (FailedCreatePodSandBox). It starts by itself once the cause is gone. Told when something of the cluster is given.',
    bad: {...fine, kubernetes: '1.33', runtime: 'containerd:1.7'},
    good: {...fine, kubernetes: '1.33', runtime: 'containerd:2.0'},
  },
  'kubelet-ids-per-pod': {
    title: 'idsPerPod with which a kubelet does not start',
    severity: 'error',
    about: 'hostUsers',
    versions: '1.33 and newer',
    text: '`userNamespaces.idsPerPod` of a KubeletConfiguration is a multiple of 65536, from 65536 up. Values that are no power of two do not divide the default pool, and the kubelet does not start without a range of its own in /etc/subuid. Drain the node before it is changed.',
    bad: {
      text: 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nuserNamespaces:\n  idsPerPod: 100000\n',
    },
    good: {
      text: 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nuserNamespaces:\n  idsPerPod: 131072\n',
    },
  },
  'procmount-needs-userns': {
    title: 'procMount: Unmasked without a user namespace',
    severity: 'error',
    about: 'hostUsers',
    versions: '1.25 and newer, where the gate ProcMountType is on',
    text: 'Without the masks root of the container may write files of /proc that steer the node, so the API server wants hostUsers: false with it.',
    bad: {text: examplePod([], ['securityContext:', '  procMount: Unmasked'])},
    good: {text: examplePod(['hostUsers: false'], ['securityContext:', '  procMount: Unmasked'])},
  },
  'procmount-dropped': {
    title: 'procMount where its gate is off',
    severity: 'warning',
    about: 'hostUsers',
    versions: 'before 1.33, unless the gate ProcMountType is on',
    text: 'The API server drops the field: /proc stays masked, and what wants to mount /proc inside fails with EPERM.',
    bad: {text: examplePod(['hostUsers: false'], ['securityContext:', '  procMount: Unmasked']), kubernetes: '1.30'},
    good: {text: examplePod(['hostUsers: false'], ['securityContext:', '  procMount: Unmasked']), kubernetes: '1.33'},
  },
} as const satisfies Record<string, LintRule>;
