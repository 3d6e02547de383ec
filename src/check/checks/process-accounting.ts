import {expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** A file that is not there is missed only after the permission was asked; what is set stays. */
export const processAccounting = tried(
  'K',
  {
    id: 'process-accounting',
    title: 'the log of all commands cannot be set',
    group: 3,
    gain: 'every command of every user of the node, in a file of the attacker',
    attempt: 'acct(2) of a file that is not there: ENOENT means that the permission was there',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/acct.c: capable(CAP_SYS_PACCT) in the initial user namespace, before the path',
    references: [nist('3.5.2')],
  },
  {calls: (place) => [call('acct', [place.path('none')], 'acct(none)', {gate: ['ENOENT']})]},
);
