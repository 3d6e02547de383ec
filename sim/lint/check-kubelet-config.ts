import {SubrootError} from '../../native-free/errors.ts';
import {checkIdsPerPod} from '../id-pool.ts';
import type {Report} from './finding.ts';
import type {Spot} from './spot.ts';

/** The one field of a KubeletConfiguration that touches user namespaces. Source: kubernetes pkg/kubelet/apis/config/validation, 1.36. */
export function checkKubeletConfig(object: Spot): Report[] {
  const field = object.at('userNamespaces', 'idsPerPod');
  if (field?.number === undefined) return [];
  const report = (message: string, mend: string, severity?: 'warning'): Report => ({
    rule: 'kubelet-ids-per-pod',
    mark: field.mark,
    path: field.path,
    message,
    mend,
    ...(severity === undefined ? {} : {severity}),
  });
  try {
    checkIdsPerPod(field.number);
  } catch (error) {
    if (!(error instanceof SubrootError)) throw error;
    return [report(error.shortMessage, error.mend ?? '')];
  }
  if (2 ** 32 % field.number === 0) return [];
  return [
    report(
      `${field.number} does not divide the 2^32 ids: a kubelet that takes the default pool does not start`,
      'choose a power of two, or give account kubelet a range in /etc/subuid and /etc/subgid',
      'warning',
    ),
  ];
}
