import {kubernetes, usable} from '../define.ts';
import {fileCapability, O, open, setxattr} from '../operation.ts';

const CAP_NET_RAW = 13;

/** Capabilities for its own programs. */
export const setcapOwnFile = usable(
  {
    id: 'setcap-own-file',
    title: 'the pod can give capabilities to its own programs',
    group: 7,
    gain: 'nothing; without it: packages that run setcap when they are installed',
    attempt: 'setxattr(2) of security.capability on a file of its own',
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'security/commoncap.c cap_convert_nscap(): stored with the root of the namespace, so that it counts there only',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {
    arms: ['control-default', 'treatment-all', 'treatment-default'],
    prepare: (place) => {
      place.dir('room', {mode: 0o777});
    },
    calls: (place) => [
      open(place.path('room/own'), O.WRONLY + O.CREAT, {mode: 0o755}),
      setxattr(place.path('room/own'), 'security.capability', fileCapability(CAP_NET_RAW)),
    ],
  },
);
