import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {NETLINK, netlinkRequest} from '../netlink.ts';

const AUDIT_USER = 1005;

/** Records of who did what on the node. */
export const auditForge = tried(
  'U',
  {
    id: 'audit-forge',
    title: 'no audit record can be forged',
    group: 3,
    gain: 'records of the node that say what did not happen',
    attempt: 'one canary record over NETLINK_AUDIT',
    expected: expectedOfIds('ECONNREFUSED', 'EPERM'),
    rule: 'kernel/audit.c audit_netlink_ok(): only from the initial user namespace, and CAP_AUDIT_WRITE',
    references: [attack('T1562.012'), nist('3.5.2')],
  },
  {
    refusals: ['ECONNREFUSED'],
    calls: () =>
      netlinkRequest(NETLINK.audit, AUDIT_USER, Buffer.from('op=subroot-canary res=success\0'), 'audit record'),
  },
);
