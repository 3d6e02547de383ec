import type {Attempt} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {openNamespace, setns} from '../operation.ts';
import {partner, victimCalls} from '../victims.ts';

const types = ['mnt', 'net', 'uts', 'ipc', 'pid', 'cgroup'] as const;

/** From pod to pod. */
export const lateralSetnsOther = tried(
  'K',
  {
    id: 'lateral-setns-other',
    title: 'other namespaces of another pod cannot be joined',
    group: 5,
    gain: 'files, network and processes of another pod',
    attempt: 'open(2) of /proc/PID/ns/* of the other pod, and setns(2)',
    expected: expectedOfCapability('EPERM', 'EACCES', 'EPERM'),
    rule: 'fs/proc/namespaces.c proc_ns_get_link() → ptrace_may_access(); then CAP_SYS_ADMIN over the owner',
    references: [attack('T1611'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  ...types.map(
    (type): Attempt => ({
      name: type,
      prepare: async (place) => {
        place.keep(
          'pid',
          place.isControl ? (await place.hold(partner(place), ...victimCalls)).pid : place.scene.otherPod.init.pid,
        );
      },
      calls: (place) => [openNamespace(place.kept('pid'), type), setns(type, type)],
    }),
  ),
);
