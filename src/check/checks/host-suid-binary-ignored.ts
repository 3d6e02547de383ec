import {attack, cis, nist, tried} from '../define.ts';
import {run} from '../operation.ts';
import {catProgram, effectiveUidOf} from '../programs.ts';

/** A set-user-ID program of the host, started by a user of the pod. */
export const hostSuidBinaryIgnored = tried(
  'U',
  {
    id: 'host-suid-binary-ignored',
    title: 'a set-user-ID program of the host gives a user of the pod nothing',
    group: 2,
    gain: "root of the node for a pod's ordinary user who escaped",
    attempt: 'execve(2) of a canary copy with mode 4755 and owner root, as uid 1000',
    expected: {
      'control-default': 'the program runs as root',
      'treatment-default': 'the program runs as uid 1000',
    },
    rule: 'fs/exec.c bprm_fill_uid(): the bits are ignored where owner or group have no mapping in the namespace',
    references: [attack('T1548.001'), cis('5.2.6'), nist('3.5.5')],
  },
  {
    arms: ['control-default', 'treatment-default'],
    who: {uid: 1000},
    prepare: (place) => {
      place.file('tool', {mode: 0o4755, copyOf: catProgram()});
    },
    calls: (place) => [run(place.path('tool'), '/proc/self/status')],
    effect: (_, seen) => {
      const uid = effectiveUidOf(seen.text('execve'));
      return uid !== undefined && uid !== 1000;
    },
  },
);
