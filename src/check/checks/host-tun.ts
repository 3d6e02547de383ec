import {existsSync} from 'node:fs';
import {CannotTry} from '../attempt.ts';
import {expectedOfCapability, nist, tried} from '../define.ts';
import {ioctl, O, open, struct} from '../operation.ts';

const TUNSETIFF = 0x400454ca;
const IFF_TUN_NO_PI = 0x1001;

/** An interface of one's own on the network of the node. */
export const hostTun = tried(
  'K',
  {
    id: 'host-tun',
    title: "no tunnel can be made on the host's network",
    group: 3,
    gain: 'an interface of the node whose packets come from the attacker',
    attempt: 'open(2) of /dev/net/tun and TUNSETIFF, in a network namespace that root of the host owns',
    expected: expectedOfCapability('EPERM', 'EACCES', 'EPERM'),
    rule: 'the mode of the node, then drivers/net/tun.c tun_set_iff(): ns_capable(net->user_ns, CAP_NET_ADMIN)',
    references: [nist('3.4.2')],
  },
  {
    prepare: () => {
      if (!existsSync('/dev/net/tun')) throw new CannotTry('there is no /dev/net/tun');
    },
    calls: (place) => [
      open('/dev/net/tun', O.RDWR),
      ioctl(
        'file',
        TUNSETIFF,
        {
          bytes: Buffer.concat([
            Buffer.from(`tun${place.arm.slice(0, 1)}${place.arm.slice(-3)}`.padEnd(16, '\0')),
            struct([IFF_TUN_NO_PI, 2]),
            Buffer.alloc(22),
          ]),
        },
        'TUNSETIFF',
      ),
    ],
  },
);
