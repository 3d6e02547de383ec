import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {NETLINK} from '../netlink.ts';
import {AF, send, socket, struct} from '../operation.ts';

/** What udev listens to. */
export const ueventInject = tried(
  'K',
  {
    id: 'uevent-inject',
    title: 'no device event can be forged',
    group: 3,
    gain: 'rules of udev that root of the node runs for a device that does not exist',
    attempt: 'send(2) of a made-up event to the listeners, in a network namespace that root of the host owns',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'net/netlink/af_netlink.c netlink_sendmsg(): ns_capable(net->user_ns, CAP_NET_ADMIN) for a group',
    references: [attack('T1611'), nist('3.5.2')],
  },
  {
    calls: () => [
      socket(AF.netlink, 3, NETLINK.uevent, 'AF_NETLINK, NETLINK_KOBJECT_UEVENT'),
      send(Buffer.from('add@/devices/subroot-canary\0ACTION=add\0SUBSYSTEM=subroot-canary\0'), 'send(uevent)', {
        to: struct([AF.netlink, 2], [0, 2], [0, 4], [1, 4]),
        gate: ['ECONNREFUSED', 'ESRCH'],
      }),
    ],
  },
);
