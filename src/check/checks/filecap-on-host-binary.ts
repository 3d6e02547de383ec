import {attack, expectedOfIds, nist, tried} from '../define.ts';
import {fileCapability, O, open, setxattr} from '../operation.ts';
import {catProgram} from '../programs.ts';

const CAP_NET_RAW = 13;

/** A program of root that gives its user a capability. */
export const filecapOnHostBinary = tried(
  'U',
  {
    id: 'filecap-on-host-binary',
    title: "a program of the host's root cannot be given capabilities",
    group: 2,
    gain: 'a program on the node that lends capabilities to whoever starts it',
    attempt: 'setxattr(2) of security.capability on a 0755 program of root',
    expected: expectedOfIds('EPERM'),
    rule: 'security/commoncap.c cap_convert_nscap(): CAP_SETFCAP over the owner of the inode, who must be mapped',
    references: [attack('T1548.001'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('tool', {mode: 0o755, copyOf: catProgram()});
    },
    reach: (place) => [open(place.path('tool'), O.RDONLY)],
    calls: (place) => [setxattr(place.path('tool'), 'security.capability', fileCapability(CAP_NET_RAW))],
  },
);
