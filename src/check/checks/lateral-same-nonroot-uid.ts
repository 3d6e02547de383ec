import {cis, kubernetes, nist, tried} from '../define.ts';
import {call, kill, O, open, read} from '../operation.ts';
import {onPartner} from '../victims.ts';

const PTRACE_SEIZE = 0x4206;
const as = {uid: 1000};

/** The case that runAsNonRoot does not solve: user 1000 here and user 1000 there. */
export const lateralSameNonrootUid = tried(
  'U',
  {
    id: 'lateral-same-nonroot-uid',
    title: 'uid 1000 of one pod is not uid 1000 of another',
    group: 5,
    gain: 'files and processes of every pod whose image has the same user: most have 1000 or 65532',
    attempt: 'as uid 1000: read(2) of a 0600 file, kill(2) and ptrace(2) of a process of uid 1000 of the other pod',
    expected: {'control-default': 'gets through', 'treatment-default': 'refused: EACCES, EPERM, EPERM'},
    rule: 'kernel ids differ: BASE of the one pod + 1000, and BASE of the other + 1000',
    references: [cis('5.2.7'), nist('3.3.4'), kubernetes('KEP-127')],
    abilities: ['two-pods'],
  },
  {
    name: 'read',
    arms: ['control-default', 'treatment-default'],
    who: as,
    prepare: (place) => {
      const base = place.isControl ? 0 : (place.scene.blockOf(place.scene.otherPod)?.uid ?? 0);
      place.file('theirs', {uid: base + 1000, gid: base + 1000});
      place.sibling();
    },
    reach: (place) => [open(place.path('sibling'), O.RDONLY)],
    calls: (place) => [open(place.path('theirs'), O.RDONLY), read()],
  },
  onPartner('kill', (pid) => [kill(pid, 0, '0')], {as, arms: ['control-default', 'treatment-default']}),
  onPartner('ptrace', (pid) => [call('ptrace', [PTRACE_SEIZE, pid, 0, 0], 'ptrace(PTRACE_SEIZE)')], {
    as,
    arms: ['control-default', 'treatment-default'],
  }),
);
