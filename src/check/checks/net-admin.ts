import type {Attempt} from '../attempt.ts';
import {kubernetes, usable} from '../define.ts';
import {insidePod, ownNetwork} from '../inside.ts';
import {blackhole, bridge, loopbackAddress, nftTable} from '../netlink.ts';
import {AF, ioctl, socket, struct} from '../operation.ts';

const SIOCSIFFLAGS = 0x8914;
const lo = {bytes: Buffer.concat([Buffer.from('lo'.padEnd(16, '\0')), struct([0x41, 2]), Buffer.alloc(22)])};

/** A network of its own. */
export const netAdmin = usable(
  {
    id: 'net-admin',
    title: 'the pod can set up its own network',
    group: 7,
    gain: 'nothing; without it: service meshes, VPNs, nested containers',
    attempt:
      "lo up, a bridge, an address, a route, a table of nf_tables, in the pod's network namespace; removed at once",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_NET_ADMIN'},
    rule: "net/core/rtnetlink.c: netlink_net_capable(CAP_NET_ADMIN), and the network namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    name: 'lo',
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: (place) => [
      ...ownNetwork(place),
      socket(AF.inet, 2, 0, 'AF_INET, SOCK_DGRAM'),
      ioctl('socket', SIOCSIFFLAGS, lo, 'SIOCSIFFLAGS, lo up'),
    ],
  },
  ...Object.entries({
    bridge: [bridge('make', 'check0'), bridge('remove', 'check0')],
    address: [loopbackAddress('make', '192.0.2.80'), loopbackAddress('remove', '192.0.2.80')],
    route: [blackhole('make', '198.51.100.80'), blackhole('remove', '198.51.100.80')],
    nftables: [nftTable('make', 'check'), nftTable('remove', 'check')],
  }).map(
    ([name, [make = [], remove = []]]): Attempt => ({
      name,
      arms: ['control-all', 'treatment-all', 'treatment-default'],
      who: insidePod,
      calls: (place) => [...ownNetwork(place), ...make, ...remove],
    }),
  ),
);
