import {readText} from '../../host/process-view.ts';
import {attack, nist} from '../define.ts';
import {separated} from '../limits.ts';
import {call, repeat} from '../operation.ts';

const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEY_SPEC_SESSION_KEYRING = -3;

/** Keys of a user in the kernel. */
export const keysSeparated = separated(
  {
    id: 'keys-separated',
    title: 'the kernel keys of one pod do not count for another',
    group: 6,
    gain: 'pods that cannot be started or cannot log in, because another with the same user has too many keys',
    attempt: 'add_key(2) until kernel.keys.maxkeys, as uid 1000 of both pods',
    expected: {'control-default': 'the second gets none', 'treatment-default': 'each gets its own'},
    rule: 'security/keys/key.c key_alloc(): the quota is that of key_user, by kernel id',
    references: [attack('T1499.001'), nist('3.5.2')],
  },
  {
    cannot: () => {
      const most = Number(readText('/proc/sys/kernel/keys/maxkeys') ?? Number.NaN);
      return most <= 1000 ? undefined : `kernel.keys.maxkeys is ${most}: more than is filled for a check`;
    },
    take: [
      call('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, 0], 'keyctl(JOIN_SESSION_KEYRING)'),
      repeat(1100, 'add_key', ['user', 'subroot-canary-%d', 'x', 1, KEY_SPEC_SESSION_KEYRING]),
    ],
  },
);
