import type {ChildNode, ChildPod} from './child-node.ts';

/** A manifest of one pod in a user namespace, `sleep`, with these further fields of its spec and container, and other documents before it. */
export function volumePod(parts: {
  readonly volumes: string;
  readonly mounts: string;
  readonly spec?: string;
  readonly container?: string;
  readonly before?: string;
  readonly name?: string;
}): string {
  const {volumes, mounts, spec = '', container = '', before = '', name = 'vol'} = parts;
  return `${before}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: web, tier: "back \\"end\\""}}
spec:
  hostUsers: ${spec.includes('hostUsers') ? '' : 'false'}
  ${spec}
  volumes: [${volumes}]
  containers:
  - name: main
    image: host
    command: [sleep, infinity]
    ${container}
    volumeMounts: [${mounts}]
`.replace(/^ {2}hostUsers: $/m, '');
}

export const objects = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue, shape: round}
binaryData: {raw: /wA=}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: "s3cret"}
`;

/** A pod of every kind of volume that comes from the API or is the pod's own, at /KIND; fsGroup 2000, its program uid 1000. */
export const everyKind = volumePod({
  before: objects,
  spec: 'securityContext: {fsGroup: 2000}',
  volumes: [
    '{name: disk, emptyDir: {}}',
    '{name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}',
    '{name: configmap, configMap: {name: settings, defaultMode: 0640}}',
    '{name: secret, secret: {secretName: keys, defaultMode: 0400}}',
    '{name: downward, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: cpu, mode: 0444, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}]}}',
    '{name: projected, projected: {sources: [{secret: {name: keys, items: [{key: password, path: deep/er/pw, mode: 0440}]}}, {configMap: {name: absent, optional: true}}, {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}}',
  ].join(', '),
  container: 'resources: {limits: {cpu: 250m}}',
  mounts: [
    ...['disk', 'memory', 'configmap', 'secret', 'downward', 'projected'].map(
      (name) => `{name: ${name}, mountPath: /${name}}`,
    ),
    '{name: configmap, mountPath: /one, subPath: color}',
    '{name: disk, mountPath: /part, subPath: made/here}',
  ].join(', '),
});

/** What such a pod sees: owner, mode and path of each, as Kubernetes shows it. */
export const everyKindInside = [
  '0:2000 2777 /disk',
  '0:2000 2777 /memory',
  '0:2000 2777 /configmap',
  '0:2000 640 /configmap/color',
  '0:2000 640 /configmap/raw',
  '0:2000 440 /secret/password',
  '0:2000 644 /downward/labels',
  '0:2000 444 /downward/cpu',
  '0:2000 440 /projected/deep/er/pw',
  '0:2000 2755 /projected/deep',
  '0:2000 644 /projected/name',
  '0:2000 640 /one',
  '0:2000 2777 /part',
];

export const lookAtEveryKind = `stat -L -c '%u:%g %a %n' ${everyKindInside.map((line) => line.split(' ')[2]).join(' ')}`;

/** What a shell in a pod of a child writes, with standard error. */
export async function say(child: ChildNode, pod: ChildPod, script: string): Promise<string> {
  const {stdout, stderr} = await child.call<{stdout: string; stderr: string}>('exec', pod.name, ['sh', '-c', script]);
  return `${stdout}\n${stderr}`;
}
