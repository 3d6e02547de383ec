import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

const ADJ_MAXERROR = 4;

/** The time of the node is that of every pod. */
export const clock = tried(
  'K',
  {
    id: 'clock',
    title: "the host's clock cannot be set",
    group: 3,
    gain: 'another time for the whole node: certificates, logs, leases',
    attempt: 'adjtimex(2) with ADJ_MAXERROR and the value that is there; no time changes',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/time/timekeeping.c timekeeping_validate_timex(): capable(CAP_SYS_TIME) in the initial user namespace; this clock has no namespace',
    references: [attack('T1070.006'), nist('3.5.2')],
  },
  {
    prepare: async (place) => {
      const end = await place.scene.asHost(call('adjtimex', [{bytes: Buffer.alloc(208), back: true}], 'adjtimex'));
      const timex = Buffer.from(end.calls[0]?.texts[0] ?? '', 'latin1');
      const request = Buffer.alloc(208);
      request.writeUInt32LE(ADJ_MAXERROR, 0);
      timex.copy(request, 24, 24, 32);
      place.keep('timex', request);
    },
    calls: (place) => [call('adjtimex', [{bytes: place.kept<Buffer>('timex')}], 'adjtimex(ADJ_MAXERROR)')],
  },
);
