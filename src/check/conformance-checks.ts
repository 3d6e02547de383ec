import type {IdMap} from '../../native-free/id-map.ts';
import {listPids, userNamespaceOf} from '../host/machine-namespaces.ts';
import {isProcessAlive} from '../host/proc.ts';
import {namespaceInode, readText} from '../host/process-view.ts';
import {CannotTry} from './attempt.ts';
import type {Check} from './check.ts';
import {attack, invariant, kubernetes, nist} from './define.ts';
import {canRefuse, type RefusalRule, refusalRules} from './refusals.ts';
import {mapOf, shownMap} from './shown.ts';

/** What was asked for, beside what /proc shows: a runtime that does not know the field starts the pod without a word. */
const declaredEqualsObserved = invariant(
  {
    id: 'declared-equals-observed',
    title: 'a pod has the user namespace and the ids that its target declares',
    group: 1,
    gain: 'everybody believes in a boundary that is not there',
    attempt:
      'what the target was asked for and what it says, beside /proc/PID/ns/user, uid_map and gid_map of each pod',
    expected: {'treatment-default': 'a user namespace of its own, with the maps that were asked for'},
    rule: 'containerd up to 1.6 does not know userns_options and ignores them; an API server or a kubelet without the feature drops hostUsers',
    references: [kubernetes('KEP-127'), attack('T1611')],
  },
  (scene) => {
    const evidence: Record<string, string> = {};
    for (const pod of scene.pods) {
      const {declared, init, name} = pod;
      const isOwn = namespaceInode(init.pid, 'user') !== namespaceInode('self', 'user');
      const maps = {uids: mapOf(init.pid, 'uid_map'), gids: mapOf(init.pid, 'gid_map')};
      evidence[`${name}, observed`] = `${isOwn ? 'own' : "the host's"} user namespace, uids ${shownMap(maps.uids)}`;
      if (declared.userNamespace === undefined) continue;
      evidence[`${name}, declared`] =
        `${declared.userNamespace ? 'own' : "the host's"} user namespace${declared.uids === undefined ? '' : `, uids ${shownMap(declared.uids)}`}`;
      if (declared.userNamespace !== isOwn)
        return {
          outcome: 'broken',
          reason: declared.userNamespace
            ? `${name} was asked to have a user namespace, and is in the host's: the target ignored it without a word`
            : `${name} was asked to be in the host's user namespace, and has one of its own`,
          evidence,
        };
      if (!isOwn) continue;
      for (const which of ['uids', 'gids'] as const) {
        const asked = declared[which];
        if (asked !== undefined && !isSameMap(asked, maps[which]))
          return {
            outcome: 'broken',
            reason: `${which} of ${name} were asked to be ${shownMap(asked)}, and are ${shownMap(maps[which])}`,
            evidence,
          };
      }
    }
    const known = scene.pods.some(({declared}) => declared.userNamespace !== undefined);
    return known
      ? {outcome: 'works', reason: 'every pod is what it was asked to be', evidence}
      : {outcome: 'not-possible', reason: 'nobody has declared anything of these pods', evidence};
  },
);

function isSameMap(first: IdMap, second: IdMap): boolean {
  const sorted = (map: IdMap) => [...map].sort((a, b) => a.containerId - b.containerId);
  return shownMap(sorted(first)) === shownMap(sorted(second));
}

const leavesNothing = invariant(
  {
    id: 'nothing-left-after-kill',
    title: 'a pod whose first program is killed leaves no process and no mount',
    group: 7,
    gain: 'programs that run on with ids that the next pod gets',
    attempt:
      "SIGKILL to a pod's first program, then its removal; afterwards every process's user namespace and our own mounts",
    expected: {'treatment-default': 'no process in its user namespace, and no mount of it'},
    rule: "kernel/pid_namespace.c zap_pid_ns_processes(): all others die with the first; mounts are the runtime's part",
    references: [nist('3.4.3')],
    abilities: ['start', 'outside'],
    alone: true,
  },
  async (scene) => {
    const pod = await scene.target.start({name: 'pod-killed', userNamespace: true, capabilities: 'default'});
    const mounts = () =>
      (readText('/proc/self/mountinfo') ?? '').split('\n').filter((line) => line.includes('subroot-check-'));
    const before = new Set(mounts());
    const inode = namespaceInode(pod.init.pid, 'user');
    const isOwn = inode !== namespaceInode('self', 'user');
    if (isProcessAlive(pod.init)) process.kill(pod.init.pid, 'SIGKILL');
    await pod.remove();
    const processes = () => listPids().filter((pid) => (isOwn ? userNamespaceOf(pid) === inode : pid === pod.init.pid));
    const deadline = performance.now() + 5000;
    // What was killed may take a moment to be gone.
    while (processes().length > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const left = [
      ...processes().map((pid) => `process ${pid}`),
      ...mounts()
        .filter((line) => !before.has(line))
        .map((line) => `mount ${line.split(' ')[4]}`),
    ];
    return left.length === 0
      ? {outcome: 'works', reason: 'nothing of it is left'}
      : {outcome: 'broken', reason: `left behind: ${left.slice(0, 5).join(', ')}`};
  },
);

function refusal(id: RefusalRule): Check {
  return invariant(
    {
      id,
      title: `the runtime refuses ${refusalRules[id]}`,
      group: 1,
      gain: 'a pod whose ids are not those that somebody reckons with',
      attempt: `ask the runtime for ${refusalRules[id]}`,
      expected: {'treatment-default': 'an error'},
      rule:
        id === 'refuses-overlapping-maps' || id === 'refuses-empty-extent'
          ? 'config-linux.md of the OCI runtime specification; kernel/user_namespace.c map_write()'
          : 'UserNamespace in api.proto of CRI v1, as containerd, CRI-O and the tests of cri-tools read it',
      references: [kubernetes('KEP-127')],
      alone: true,
    },
    async ({target}) => {
      if (!canRefuse(target)) throw new CannotTry(`${target.description.target} cannot be asked for it`);
      const tried = await target.tryRule(id);
      if (tried === undefined) throw new CannotTry(`this rule is none for ${target.description.target}`);
      const evidence = {'what it said': tried.said.trim().slice(-300) || '(nothing)'};
      return tried.refused
        ? {outcome: 'works', reason: 'it was refused', evidence}
        : {outcome: 'broken', reason: `the runtime did it: ${refusalRules[id]}`, evidence};
    },
  );
}

/** What `subroot conformance` asks before all other checks: is a pod what was declared, and is refused what must be? */
export const conformanceChecks: readonly Check[] = [
  declaredEqualsObserved,
  ...(Object.keys(refusalRules) as RefusalRule[]).map(refusal),
  leavesNothing,
];
