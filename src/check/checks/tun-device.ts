import {kubernetes, usable} from '../define.ts';
import {dismissInside, insideWithFolder} from '../inside.ts';
import {chmod, ioctl, mknod, O, open, struct} from '../operation.ts';

const TUNSETIFF = 0x400454ca;
const IFF_TUN_NO_PI = 0x1001;

/** Tunnels: VPNs in pods. */
export const tunDevice = usable(
  {
    id: 'tun-device',
    title: 'the pod can make a tunnel on its own network',
    group: 7,
    gain: 'nothing; without it: OpenVPN, WireGuard in user space',
    attempt: 'open(2) of a 0666 node of /dev/net/tun, TUNSETIFF',
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_NET_ADMIN'},
    rule: "drivers/net/tun.c tun_set_iff(): ns_capable(net->user_ns, CAP_NET_ADMIN), and the network namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insideWithFolder,
    prepare: async (place) => {
      await place.asHost(mknod(place.path('tun'), 0o020666, 10, 200), chmod(place.path('tun'), 0o666));
    },
    calls: () => [
      open('tun', O.RDWR, {at: 'folder'}),
      ioctl(
        'file',
        TUNSETIFF,
        {
          bytes: Buffer.concat([
            Buffer.from('tuncheck'.padEnd(16, '\0')),
            struct([IFF_TUN_NO_PI, 2]),
            Buffer.alloc(22),
          ]),
        },
        'TUNSETIFF',
      ),
    ],
    undo: dismissInside,
  },
);
