import type {Cluster} from './node-versions.ts';
import {isOn, usernsGateName} from './node-versions.ts';
import type {PodView} from './pod-view.ts';
import type {Blocker} from './review.ts';

/** One step of the way to `hostUsers: false`. `command` can be pasted; words in capitals are for the reader to fill in. */
export interface MigrationStep {
  readonly title: string;
  readonly why: string;
  readonly command?: string;
}

/** Kinds whose pods are made again by `kubectl rollout`. */
const rolled: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

/** The way of one workload to a user namespace, in order. Source: kubernetes task "Use a User Namespace With a Pod", KEP-127. */
export function migrationSteps(pod: PodView, cluster: Cluster, blockers: readonly Blocker[]): readonly MigrationStep[] {
  return [
    ...auditSteps(pod, cluster),
    ...versionSteps(cluster),
    ...blockers.map(({why, change}) => ({title: `mend: ${change}`, why})),
    ...setSteps(pod),
    ...verifySteps(pod, cluster),
    rollBackStep(pod),
  ];
}

function auditSteps(pod: PodView, {idsPerPod}: Cluster): MigrationStep[] {
  const persistent = pod.volumes.filter(
    ({type}) => !['configMap', 'secret', 'projected', 'downwardAPI'].includes(type),
  );
  return [
    {
      title: `look for files of the image and its volumes with ids from ${idsPerPod} on`,
      why: 'such ids do not exist in the pod: their files show as 65534 and its root cannot enter them',
      command: `find / -xdev \\( -uid +${idsPerPod - 1} -o -gid +${idsPerPod - 1} \\) -printf '%U %G %p\\n'`,
    },
    ...(persistent.length === 0
      ? []
      : [
          {
            title: `look at the file systems of the volumes ${persistent.map(({name}) => name).join(', ')}`,
            why: 'one volume that cannot be mounted with shifted ids keeps the whole pod from starting',
            command: `findmnt -no FSTYPE --target PATH`,
          },
        ]),
  ];
}

function versionSteps({api, kubelet}: Cluster): MigrationStep[] {
  const gates = [
    ...(isOn('UserNamespacesSupport', api) ? [] : [`API server: ${usernsGateName(api.minor)}=true`]),
    ...(isOn('UserNamespacesSupport', kubelet) ? [] : [`kubelet: ${usernsGateName(kubelet.minor)}=true`]),
  ];
  return [
    ...(gates.length === 0
      ? []
      : [
          {
            title: `switch on the gate (${gates.join('; ')})`,
            why: 'where it is off the field is dropped or the pod stays pending',
          },
        ]),
    kubelet.minor >= 31
      ? {
          title: 'ask the nodes whether their runtime supports user namespaces',
          why: 'the kubelet publishes what the runtime says, handler by handler',
          command: `kubectl get nodes -o custom-columns='NODE:.metadata.name,USERNS:.status.runtimeHandlers[*].features.userNamespaces'`,
        }
      : {
          title:
            "compare the versions on the nodes: containerd 2.0 or CRI-O of the kubelet's version, runc 1.2 or crun 1.9, Linux 6.3",
          why: 'a kubelet before 1.31 does not publish whether its runtime supports user namespaces',
          command: `kubectl get nodes -o wide`,
        },
    ...(kubelet.minor < 30
      ? [
          {
            title: 'label the nodes that have it, and select them in the pod',
            why: "a kubelet before 1.30 that cannot do it runs the pod as the node's root and says nothing",
            command: 'kubectl label node NODE userns=yes',
          },
        ]
      : []),
  ];
}

const resource = ({workload}: PodView) => `${workload.kind.toLowerCase()}/${workload.name || 'NAME'}`;
const inNamespace = ({workload}: PodView) => (workload.namespace === 'default' ? '' : ` -n ${workload.namespace}`);

function setSteps(pod: PodView): MigrationStep[] {
  const {kind} = pod.workload;
  if (kind === 'Pod' || kind === 'Job' || kind === 'PodTemplate') {
    return [
      {
        title: `set hostUsers: false and make the ${kind} anew`,
        why: 'the field of a pod cannot be changed',
        command: `kubectl replace --force -f FILE${inNamespace(pod)}`,
      },
    ];
  }
  const path = pod.spec.path
    .slice(pod.workload.object.path === '' ? 0 : pod.workload.object.path.length + 1)
    .split('.');
  const patch = path.reduceRight<object>((inner, name) => ({[name]: inner}), {hostUsers: false});
  return [
    {
      title: 'set hostUsers: false in the template',
      why: 'the field of a pod cannot be changed, so its controller makes new pods',
      command: `kubectl patch ${resource(pod)}${inNamespace(pod)} --type merge -p '${JSON.stringify(patch)}'`,
    },
    rolled.has(kind)
      ? {
          title: 'wait until the pods are new',
          why: 'a pod that stays in ContainerCreating tells its reason in its events (FailedCreatePodSandBox)',
          command: `kubectl rollout status ${resource(pod)}${inNamespace(pod)} --timeout 5m`,
        }
      : kind === 'CronJob'
        ? {
            title: 'start one job now',
            why: 'only jobs that start from now on have the field',
            command: `kubectl create job ${pod.workload.name || 'NAME'}-userns --from ${resource(pod)}${inNamespace(pod)}`,
          }
        : {
            title: 'delete the old pods',
            why: `a ${kind} does not replace pods that run`,
            command: `kubectl delete pod${inNamespace(pod)} -l SELECTOR`,
          },
  ];
}

function verifySteps(pod: PodView, {kubelet}: Cluster): MigrationStep[] {
  const target =
    pod.workload.kind === 'Pod' ? pod.workload.name || 'POD' : rolled.has(pod.workload.kind) ? resource(pod) : 'POD';
  return [
    {
      title: 'read the map in the pod',
      why: "never trust the spec: `0 0 4294967295` is the node's namespace, `0 N 65536` with N above 0 is one of its own",
      command: `kubectl exec${inNamespace(pod)} ${target} -- cat /proc/self/uid_map`,
    },
    kubelet.minor >= 34
      ? {
          title: 'watch started_user_namespaced_pods_total and started_user_namespaced_pods_errors_total',
          why: 'the second counts starts that failed',
          command: 'kubectl get --raw /api/v1/nodes/NODE/proxy/metrics | grep started_user_namespaced_pods',
        }
      : {
          title: 'watch the events FailedCreatePodSandBox and Failed',
          why: 'kubelets before 1.34 have no metrics of pods with user namespaces',
          command: `kubectl get events${inNamespace(pod)} --field-selector reason=FailedCreatePodSandBox`,
        },
  ];
}

function rollBackStep(pod: PodView): MigrationStep {
  return {
    title: 'to go back: take the field out and let the pods be made anew',
    why: 'the ids on disk are the same either way, so no data moves',
    ...(rolled.has(pod.workload.kind) ? {command: `kubectl rollout undo ${resource(pod)}${inNamespace(pod)}`} : {}),
  };
}
