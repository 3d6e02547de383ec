import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {blackhole, bridge, loopbackAddress} from '../netlink.ts';
import {AF, ioctl, type Operation, socket, struct} from '../operation.ts';
import type {Place} from '../place.ts';

const SIOCSIFFLAGS = 0x8914;
const last = {'control-all': 71, 'control-default': 72, 'treatment-all': 73, 'treatment-default': 74} as const;

/** Interfaces, addresses and routes of the node. */
export const hostLinksRoutes = tried(
  'K',
  {
    id: 'host-links-routes',
    title: "the host's interfaces, addresses and routes cannot be changed",
    group: 3,
    gain: 'the traffic of the node, by another way',
    attempt:
      'a bridge, an address of 192.0.2.0/24, a blackhole route to 198.51.100.0/24, flags of lo, in a network namespace that root of the host owns',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'net/core/rtnetlink.c rtnetlink_rcv_msg(): netlink_net_capable(CAP_NET_ADMIN); net/core/dev_ioctl.c',
    references: [attack('T1557'), nist('3.4.2')],
  },
  {
    name: 'bridge',
    calls: (place) => bridge('make', `canary${last[place.arm]}`),
    undo: (place) => gone(place, bridge('remove', `canary${last[place.arm]}`)),
  },
  {
    name: 'address',
    calls: (place) => loopbackAddress('make', `192.0.2.${last[place.arm]}`),
    undo: (place) => gone(place, loopbackAddress('remove', `192.0.2.${last[place.arm]}`)),
  },
  {
    name: 'route',
    calls: (place) => blackhole('make', `198.51.100.${last[place.arm]}`),
    undo: (place) => gone(place, blackhole('remove', `198.51.100.${last[place.arm]}`)),
  },
  {
    name: 'flags',
    calls: () => [
      socket(AF.inet, 2, 0, 'AF_INET, SOCK_DGRAM'),
      ioctl(
        'socket',
        SIOCSIFFLAGS,
        {bytes: Buffer.concat([Buffer.from('lo'.padEnd(16, '\0')), struct([0x41, 2]), Buffer.alloc(22)])},
        'SIOCSIFFLAGS, lo up',
      ),
    ],
  },
);
async function gone(place: Place, operations: readonly Operation[]): Promise<void> {
  // Where it was never made, there is nothing to undo.
  await place.scene.asHost(...operations).catch(() => undefined);
}
