/** Why subroot cannot give a pod a volume of a type, for each type of the API that it cannot. */
export const impossibleVolumes: Readonly<Record<string, string>> = {
  nfs: 'NFS has no idmapped mounts, so that its files would belong to nobody in a pod with a user namespace; mount it on the host and give it as a hostPath',
  cephfs:
    'its kernel client has idmapped mounts only since Linux 6.7, and mounting needs a cluster; mount it on the host and give it as a hostPath',
  csi: 'no CSI driver runs here; mount it on the host and give it as a hostPath',
  persistentVolumeClaim: 'there is no API server here that binds a claim to a volume; give the folder as a hostPath',
  ephemeral: 'there is no API server here that makes a claim and binds it; use an emptyDir',
  image: 'images are not mounted as volumes',
  iscsi: 'a block device would have to be attached and mounted; mount it on the host and give it as a hostPath',
  fc: 'a block device would have to be attached and mounted; mount it on the host and give it as a hostPath',
  rbd: 'a block device would have to be attached and mounted; mount it on the host and give it as a hostPath',
  flexVolume: 'no FlexVolume driver runs here; mount it on the host and give it as a hostPath',
  gitRepo: 'Kubernetes itself has taken it away (1.33); clone in an init container, into an emptyDir',
  glusterfs: 'Kubernetes itself has taken it away (1.26); mount it on the host and give it as a hostPath',
  portworxVolume: 'it is served by a CSI driver, and none runs here; mount it on the host and give it as a hostPath',
  ...Object.fromEntries(
    ['gcePersistentDisk', 'awsElasticBlockStore', 'azureDisk', 'azureFile', 'cinder', 'vsphereVolume'].map((type) => [
      type,
      'a disk of a cloud is attached by its CSI driver, and none runs here; mount it on the host and give it as a hostPath',
    ]),
  ),
  ...Object.fromEntries(
    ['flocker', 'quobyte', 'storageos', 'scaleIO', 'photonPersistentDisk'].map((type) => [
      type,
      'Kubernetes itself has taken it away; mount it on the host and give it as a hostPath',
    ]),
  ),
};

/** Types that subroot makes, in the order in which the API looks for them. */
export const volumeKinds = ['hostPath', 'emptyDir', 'secret', 'downwardAPI', 'configMap', 'projected'] as const;

/** Every volume type of the API, by field name. Source: kubernetes/api core/v1 VolumeSource, 1.37. */
export const volumeTypes: readonly string[] = [...volumeKinds, ...Object.keys(impossibleVolumes)];

/** Sources of a projected volume that only an API server can answer, and why. Source: kubernetes/api core/v1 VolumeProjection, 1.37. */
export const impossibleProjections: Readonly<Record<string, string>> = {
  serviceAccountToken:
    'there is no API server here that would sign a token; a pod that was written out of a cluster has it added to it: leave the volume out',
  clusterTrustBundle: 'there is no API server here that would have the bundle; put the certificates into a ConfigMap',
  podCertificate: 'there is no API server here that would have a certificate signed; put one into a Secret',
};
