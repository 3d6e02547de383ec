import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {nftTable} from '../netlink.ts';

/** Rules of the node's firewall, and with them network policies. */
export const hostFirewall = tried(
  'K',
  {
    id: 'host-firewall',
    title: "the host's firewall cannot be changed",
    group: 3,
    gain: 'a node without network policies',
    attempt: 'nf_tables: an empty canary table, in a network namespace that root of the host owns',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'net/netfilter/nfnetlink.c nfnetlink_rcv(): ns_capable(net->user_ns, CAP_NET_ADMIN)',
    references: [attack('T1562.004'), nist('3.4.2')],
  },
  {
    calls: (place) => nftTable('make', `canary-${place.arm}`),
    undo: (place) =>
      place.scene.asHost(...nftTable('remove', `canary-${place.arm}`)).then(
        () => undefined,
        () => undefined,
      ),
  },
);
