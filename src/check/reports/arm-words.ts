import {printable} from '../../../native-free/errors.ts';
import type {Arm, ArmResult, CheckResult, Observation} from '../result.ts';

/** Arms as people read them. */
export const armWords: Readonly<Record<Arm, string>> = {
  'control-all': 'no user namespace, all capabilities',
  'control-default': 'no user namespace, default capabilities',
  'treatment-all': 'pod, all capabilities',
  'treatment-default': 'pod, default capabilities',
};

/** `EACCES`, `succeeded`, `refused`: how an arm ended, in one word. */
export function endWord({ended, errno}: Pick<ArmResult, 'ended' | 'errno'>): string {
  if (ended === 'succeeded') return 'succeeded';
  return errno ?? (ended === 'failed' ? 'not tried' : 'refused');
}

/** Word of an arm of a result, `·` where the check has no such arm or it was not run. */
export function cellOf(result: CheckResult, arm: Arm): string {
  const found = result.arms.find((each) => each.arm === arm);
  return found === undefined ? '·' : printable(endWord(found));
}

/** `open(/canary): EACCES`, with what was seen. */
export function observationWords({did, errno, value}: Observation): string {
  const ended = errno ?? 'fine';
  return printable(value === undefined ? `${did}: ${ended}` : `${did}: ${ended} (${value})`);
}

/** Who made an attempt, as the host saw it. */
export function attackerWords(arm: ArmResult): string | undefined {
  if (arm.attacker === undefined) return undefined;
  const {pid, uid, gid, userNamespace, capabilities} = arm.attacker;
  return `pid ${pid}, uid ${uid}, gid ${gid}, user namespace ${userNamespace}, capabilities ${printable(capabilities)}`;
}

/** `CVE-2019-5736`, `T1611`; general knowledge is marked. */
export function referenceWords({references}: Pick<CheckResult, 'references'>): string {
  return references
    .map(({kind, id, confirmed}) => {
      const name = kind === 'CVE' || kind === 'ATT&CK' ? id : `${kind} ${id}`;
      return printable(confirmed ? name : `${name} (to be checked)`);
    })
    .join(', ');
}
