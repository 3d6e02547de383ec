import {attack, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

const KEY_SPEC_SESSION_KEYRING = -3;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** Keys of the kernel are no container's. */
export const hostKeysHidden = tried(
  'U',
  {
    id: 'host-keys-hidden',
    title: "keys of the host's root are not listed",
    group: 3,
    gain: 'names of what the node keeps in its kernel: Kerberos tickets, keys of disks',
    attempt: "read(2) of /proc/keys while the host's root has a canary key",
    expected: {
      'control-all': 'listed',
      'control-default': 'listed',
      'treatment-all': 'not listed',
      'treatment-default': 'not listed',
    },
    rule: 'security/keys/proc.c proc_keys_show(): a key is shown to whoever may view it, by kernel id',
    references: [attack('T1552.001'), nist('3.5.2')],
  },
  {
    prepare: async (place) => {
      await place.hold(
        {capabilities: 'all'},
        call('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, 0], 'keyctl(JOIN_SESSION_KEYRING)'),
        call('add_key', ['user', `subroot-canary-${place.arm}`, 'x', 1, KEY_SPEC_SESSION_KEYRING], 'add_key'),
      );
    },
    calls: (place) => [call('contains', ['/proc/keys', `subroot-canary-${place.arm}`], 'read(/proc/keys)')],
    effect: (_, seen) => seen.result('/proc/keys') === 1,
  },
);
