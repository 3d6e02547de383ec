import {readText} from '../../host/process-view.ts';
import {expectedOfCapability, nist, tried} from '../define.ts';
import {call, struct} from '../operation.ts';
import {onVictim} from '../victims.ts';

/** struct perf_event_attr, first version: a software clock that does not run. */
const event = Buffer.concat([struct([1, 4], [64, 4], [1, 8], [0, 8], [0, 8], [0, 8], [1, 8]), Buffer.alloc(16)]);

/** What others do, by counting. */
export const perfSystemWide = tried(
  'K',
  {
    id: 'perf-system-wide',
    title: 'nothing of the host can be measured by performance counters',
    group: 3,
    gain: 'side channels into every process of the node',
    attempt: "perf_event_open(2) of a disabled event on a whole CPU, and on a process of the host's root",
    expected: expectedOfCapability('EACCES', 'EACCES'),
    rule: 'kernel/events/core.c: perfmon_capable() in the initial user namespace with kernel.perf_event_paranoid; ptrace_may_access() of the other process',
    references: [nist('3.5.2')],
  },
  {
    name: 'whole-cpu',
    prepare: () => {
      if (Number(readText('/proc/sys/kernel/perf_event_paranoid') ?? '2') < 1)
        throw new Error('kernel.perf_event_paranoid lets everybody here');
    },
    calls: () => [call('perf_event_open', [{bytes: event}, -1, 0, -1, 0], 'perf_event_open(CPU 0)')],
  },
  onVictim('other-process', (pid) => [
    call('perf_event_open', [{bytes: event}, pid, -1, -1, 0], 'perf_event_open(PID)'),
  ]),
);
