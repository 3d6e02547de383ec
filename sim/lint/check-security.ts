import {capabilityNames} from '../../native-free/capability.ts';
import {nearest} from '../field-reader.ts';
import {capabilityFacts, isAll, writtenCapabilities} from './capability-review.ts';
import type {Report} from './finding.ts';
import {isOn} from './node-versions.ts';
import type {ContainerView} from './pod-view.ts';
import type {RuleContext} from './rule-context.ts';

/** Rules about what a container may do, with a user namespace and without. */
export function checkSecurity(context: RuleContext): Report[] {
  if (context.pod.spec.at('os', 'name')?.text === 'windows') return [];
  return [
    ...context.pod.containers.flatMap((container) => [
      ...privileged(container, context),
      ...procMount(container, context),
      ...capabilityNamesOf(container),
      ...capabilityWorth(container, context),
    ]),
    ...seccomp(context),
    ...escalation(context),
  ];
}

function privileged({securityContext, name}: ContainerView, {pod}: RuleContext): Report[] {
  const field = securityContext?.get('privileged');
  if (field?.value !== true) return [];
  const inUserns = pod.hostUsers === false;
  return [
    {
      rule: 'privileged',
      mark: field.mark,
      path: field.path,
      message: inUserns
        ? `container ${name} is privileged: its capabilities count in the pod only, and seccomp, AppArmor and the masks of /proc are off, so all of the kernel is reached`
        : `container ${name} is privileged: it is root of the node`,
      mend: inUserns
        ? 'add the capabilities it uses instead (see `subroot lint --review`), and `procMount: Unmasked` when it mounts /proc'
        : 'set `hostUsers: false`, and often privileged is no longer needed: add the capabilities it uses instead',
    },
  ];
}

/** Source: kubernetes pkg/apis/core/validation/validation.go validateProcMountType, pkg/api/pod/util.go dropDisabledProcMountField, 1.36. */
function procMount({securityContext}: ContainerView, {pod, cluster}: RuleContext): Report[] {
  const field = securityContext?.get('procMount');
  if (field?.value !== 'Unmasked') return [];
  const at = {mark: field.mark, path: field.path};
  if (!isOn('ProcMountType', cluster.api)) {
    return [
      {
        ...at,
        rule: 'procmount-dropped',
        message: `the gate ProcMountType is off in Kubernetes 1.${cluster.api.minor}: the API server drops procMount and /proc stays masked`,
        mend: 'switch on the gate ProcMountType, or upgrade to 1.33, where it is on by default',
      },
    ];
  }
  if (pod.hostUsers === false) return [];
  return [
    {
      ...at,
      rule: 'procmount-needs-userns',
      message:
        'procMount Unmasked uncovers parts of /proc that root of the node may write: the API server refuses it without hostUsers: false',
      mend: 'set `hostUsers: false`, or remove procMount',
    },
  ];
}

function capabilityNamesOf(container: ContainerView): Report[] {
  return (['add', 'drop'] as const).flatMap((list) =>
    writtenCapabilities(container, list)
      .filter(
        ({text, capability}) => !isAll(text) && (capability === undefined || text !== capability.slice('CAP_'.length)),
      )
      .map(({spot, text, capability}) => {
        const short = capability?.slice('CAP_'.length);
        const near =
          short ??
          nearest(
            text.replace(/^CAP_/i, ''),
            capabilityNames.map((name) => name.slice('CAP_'.length)),
          );
        return {
          rule: 'capability-name' as const,
          mark: spot.mark,
          path: spot.path,
          message:
            short === undefined
              ? `there is no capability ${text}`
              : `${text} is not how Kubernetes spells it: some runtimes do not find it, and Pod Security compares names letter by letter`,
          mend: near === undefined ? 'see capabilities(7), and leave CAP_ out' : `write ${near}`,
        };
      }),
  );
}

function capabilityWorth(container: ContainerView, {pod}: RuleContext): Report[] {
  if (pod.hostUsers !== false) return [];
  return writtenCapabilities(container, 'add').flatMap(({spot, text, capability}): Report[] => {
    if (isAll(text)) {
      return [
        {
          rule: 'capability-risk',
          mark: spot.mark,
          path: spot.path,
          message: `container ${container.name} adds every capability: in a user namespace many are void, and those that are not reach much of the kernel`,
          mend: 'name those that it uses',
        },
      ];
    }
    if (capability === undefined) return [];
    const {worth, inside, risk} = capabilityFacts[capability];
    const at = {mark: spot.mark, path: spot.path};
    if (worth === 'void') {
      return [
        {
          ...at,
          rule: 'capability-void',
          message: `${capability} does nothing in a user namespace: ${inside}`,
          mend: 'remove it; when the program cannot do without, keep hostUsers: true for this pod',
        },
      ];
    }
    if (risk === undefined) return [];
    return [
      {
        ...at,
        rule: 'capability-risk',
        message: `${capability} ${worth === 'partly' ? 'works in part' : 'works'} inside (${inside}), and: ${risk}`,
        mend: 'remove it unless the program uses it; keep seccompProfile RuntimeDefault',
      },
    ];
  });
}

/** Why nothing filters a container's system calls; undefined when a profile does. */
export function unfiltered(
  {securityContext}: ContainerView,
  {pod}: Pick<RuleContext, 'pod'>,
): 'unset' | 'Unconfined' | undefined {
  if (securityContext?.get('privileged')?.value === true) return undefined;
  const profile = (securityContext?.get('seccompProfile') ?? pod.securityContext?.get('seccompProfile'))?.get(
    'type',
  )?.text;
  if (profile === undefined) return 'unset';
  return profile === 'Unconfined' ? 'Unconfined' : undefined;
}

function seccomp(context: RuleContext): Report[] {
  const {pod} = context;
  const bare = pod.containers.filter((container) => unfiltered(container, context) !== undefined);
  const [first] = bare;
  if (!first) return [];
  const written = first.securityContext?.get('seccompProfile') ?? pod.securityContext?.get('seccompProfile');
  const more = pod.hostUsers === false ? ', and a user namespace gives them more of the kernel to reach' : '';
  return [
    {
      rule: 'seccomp-missing',
      mark: written?.mark ?? (bare.length === pod.containers.length ? pod.workload.mark : first.mark),
      path: written?.path ?? `${pod.spec.path}.securityContext.seccompProfile`,
      message: `no seccomp profile filters the system calls of ${containersOf(bare)} (unless the kubelet has seccompDefault)${more}`,
      mend: 'set `securityContext.seccompProfile.type: RuntimeDefault` in the pod',
    },
  ];
}

function escalation({pod}: RuleContext): Report[] {
  const loose = pod.containers.filter(
    ({securityContext}) =>
      securityContext?.get('allowPrivilegeEscalation')?.value !== false &&
      securityContext?.get('privileged')?.value !== true,
  );
  const [first] = loose;
  if (!first) return [];
  const written = first.securityContext?.get('allowPrivilegeEscalation');
  const what = pod.hostUsers === false ? 'root of the pod' : 'root of the node';
  return [
    {
      rule: 'privilege-escalation',
      mark: written?.mark ?? first.mark,
      path: written?.path ?? `${first.spot.path}.securityContext.allowPrivilegeEscalation`,
      message: `setuid programs make users of ${containersOf(loose)} ${what}`,
      mend: 'set `allowPrivilegeEscalation: false` in the securityContext of each container',
    },
  ];
}

function containersOf(containers: readonly ContainerView[]): string {
  const names = containers.map(({name}) => name);
  return names.length === 1 ? `container ${names[0]}` : `containers ${names.join(', ')}`;
}
