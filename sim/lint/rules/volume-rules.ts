import {examplePod, type LintRule} from './rule.ts';

const withVolume = (volume: readonly string[], container: readonly string[] = []) =>
  examplePod(
    ['hostUsers: false', 'volumes:', '  - name: data', ...volume.map((line) => `    ${line}`)],
    ['volumeMounts:', '  - name: data', '    mountPath: /data', ...container],
  );
const fine = {text: withVolume(['emptyDir: {}'])};

/** Rules about ids and volumes of pods that have a user namespace. */
export const volumeRules = {
  'id-beyond-block': {
    title: 'an id that does not exist in the pod',
    severity: 'error',
    about: 'ids and volumes',
    versions: '1.25 and newer; idsPerPod can be set from 1.33 on',
    text: 'runAsUser, runAsGroup, fsGroup and supplementalGroups are ids inside the pod. It has 65536 of them, or idsPerPod of the kubelet (`--ids-per-pod`); the container cannot be started with one beyond.',
    bad: {text: examplePod(['hostUsers: false', 'securityContext:', '  runAsUser: 100000'])},
    good: {text: examplePod(['hostUsers: false', 'securityContext:', '  runAsUser: 65535'])},
  },
  'hostusers-stateless-volumes': {
    title: 'a volume that 1.25 to 1.27 do not take',
    severity: 'error',
    about: 'ids and volumes',
    versions: '1.25 to 1.27',
    text: 'While the gate was UserNamespacesStatelessPodsSupport the API server took only configMap, secret, downwardAPI, projected and emptyDir with hostUsers: false.',
    bad: {text: withVolume(['persistentVolumeClaim:', '  claimName: data']), kubernetes: '1.27'},
    good: {...fine, kubernetes: '1.27'},
  },
  'hostusers-volume-devices': {
    title: 'a raw block device in a pod with a user namespace',
    severity: 'error',
    about: 'ids and volumes',
    versions: 'refused from 1.34 on; without effect before',
    text: "A device node belongs to the node's root, who is nobody in the pod.",
    bad: {
      text: examplePod(
        ['hostUsers: false', 'volumes:', '  - name: data', '    persistentVolumeClaim:', '      claimName: data'],
        ['volumeDevices:', '  - name: data', '    devicePath: /dev/data'],
      ),
    },
    good: {text: withVolume(['persistentVolumeClaim:', '  claimName: data'])},
  },
  'volume-without-idmap': {
    title: 'a volume that cannot be mounted with shifted ids',
    severity: 'error',
    about: 'ids and volumes',
    versions: '1.27 and newer; by kernel: tmpfs 6.3, CephFS 6.7, hugetlbfs 6.9, FUSE 6.12; NFS and SMB never so far',
    text: 'The runtime mounts every volume of the pod with the ids of the pod (mount_setattr, MOUNT_ATTR_IDMAP). One file system that cannot keeps the container from being created: "failed to set MOUNT_ATTR_IDMAP …: invalid argument". Claims, volumes and storage classes of the same file are followed to the driver.',
    bad: {text: withVolume(['nfs:', '  server: files.example', '  path: /data'])},
    good: fine,
  },
  'volume-unknown-file-system': {
    title: 'a volume whose file system is not known from here',
    severity: 'info',
    about: 'ids and volumes',
    versions: '1.27 and newer',
    text: 'A claim says nothing of the file system behind it. ext4, xfs and btrfs can be mounted with shifted ids, NFS and SMB cannot; CephFS, hugetlbfs and FUSE need a new kernel. Put the claim, its volume and its storage class in one file, or give `--kernel`, and more is told.',
    bad: {text: withVolume(['persistentVolumeClaim:', '  claimName: data'])},
    good: fine,
  },
  'hostpath-not-isolated': {
    title: 'a hostPath, on which a user namespace protects nothing',
    severity: 'warning',
    about: 'ids and volumes',
    versions: '1.27 and newer',
    text: 'It is mounted with shifted ids like every volume. Root of the container therefore reads the files of root there (0600 too) and makes files that belong to root of the node. A socket of the runtime is the node itself.',
    bad: {text: withVolume(['hostPath:', '  path: /etc'])},
    good: fine,
  },
  'setuid-on-volume': {
    title: 'a volume to which root of the container can write setuid programs',
    severity: 'info',
    about: 'ids and volumes',
    versions: '1.27 and newer',
    text: 'Ids on disk are those inside the pod: what its root writes belongs to uid 0, with setuid bits and file capabilities. In the pod they give nothing beyond it. Where the same volume is mounted without a user namespace and without nosuid they are those of a real root.',
    bad: {text: withVolume(['persistentVolumeClaim:', '  claimName: data'])},
    good: {
      text: withVolume(['persistentVolumeClaim:', '  claimName: data'], ['securityContext:', '  runAsUser: 1000']),
    },
  },
  'device-permissions': {
    title: 'devices of a plug-in in a pod with a user namespace',
    severity: 'info',
    about: 'ids and volumes',
    versions: 'all',
    text: 'Device nodes that a plug-in puts into the container (GPUs and the like) show as owned by nobody, and no capability of the pod counts on them. Only the mode bits for others decide.',
    bad: {text: examplePod(['hostUsers: false'], ['resources:', '  limits:', '    nvidia.com/gpu: 1'])},
    good: {text: examplePod(['hostUsers: false'], ['resources:', '  limits:', '    memory: 1Gi'])},
  },
} as const satisfies Record<string, LintRule>;
