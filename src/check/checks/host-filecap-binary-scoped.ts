import {attack, nist, tried} from '../define.ts';
import {fileCapability, run, setxattr} from '../operation.ts';
import {perlProgram} from '../programs.ts';

const CAP_NET_RAW = 13;
const script = 'socket(my $s, 2, 3, 1) or exit 1; exit 0';

/** A program of the host with a file capability, started by a user of the pod. */
export const hostFilecapBinaryScoped = tried(
  'U',
  {
    id: 'host-filecap-binary-scoped',
    title: "a file capability of the host's programs reaches nothing of the host",
    group: 2,
    gain: "capabilities over the node for a pod's ordinary user who escaped: ping, tcpdump and the like lend them",
    attempt:
      "execve(2) of a copy of perl with cap_net_raw+ep as uid 1000, and a raw socket in the host's network namespace",
    expected: {'control-default': 'the socket is made', 'treatment-default': 'the socket is refused: EPERM'},
    rule: 'security/commoncap.c get_file_caps() grants them in the user namespace of the process; net/ipv4/af_inet.c asks ns_capable() over the owner of the network namespace',
    references: [attack('T1548.001'), nist('3.5.5')],
  },
  {
    arms: ['control-default', 'treatment-default'],
    who: {uid: 1000},
    prepare: async (place) => {
      place.file('tool', {mode: 0o755, copyOf: perlProgram()});
      await place.asHost(setxattr(place.path('tool'), 'security.capability', fileCapability(CAP_NET_RAW)));
    },
    reach: (place) => [run(place.path('tool'), '-e', 'exit 0')],
    calls: (place) => [run(place.path('tool'), '-e', script)],
    effect: (_, seen) => seen.result('execve') === 0,
  },
);
