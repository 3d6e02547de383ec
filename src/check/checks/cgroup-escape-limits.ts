import {join} from 'node:path';
import type {Attempt} from '../attempt.ts';
import {attack, cis, expectedOfIds, nist, tried} from '../define.ts';
import {O, open, write} from '../operation.ts';
import {cgroupMounts} from '../run-folder.ts';

const files: readonly (readonly [hierarchy: 'pids' | 'v2', file: string, value: string])[] = [
  ['pids', 'cgroup.procs', '0'],
  ['pids', 'pids.max', 'max'],
  ['v2', 'cgroup.procs', '0'],
  ['v2', 'cgroup.freeze', '0'],
  ['v2', 'cgroup.kill', '1'],
];

/** Groups that root of the host made. */
export const cgroupEscapeLimits = tried(
  'U',
  {
    id: 'cgroup-escape-limits',
    title: "control groups of the host's root cannot be entered or changed",
    group: 3,
    gain: 'a pod without its limits, or other pods frozen and killed',
    attempt: 'write(2) to cgroup.procs, pids.max, cgroup.freeze and cgroup.kill of an empty canary group',
    expected: expectedOfIds('EACCES'),
    rule: 'fs/kernfs/inode.c kernfs_iop_permission(), kernel/cgroup/cgroup.c cgroup_procs_write_permission()',
    references: [attack('T1496'), attack('T1489'), cis('4.2.13'), nist('3.5.2')],
  },
  ...files.map(
    ([hierarchy, file, value]): Attempt => ({
      name: `${hierarchy}-${file}`,
      prepare: (place) => {
        const {v1, v2} = cgroupMounts();
        const mounted = hierarchy === 'v2' ? v2 : v1.pids;
        if (mounted === undefined) throw new Error(`no hierarchy ${hierarchy} is mounted`);
        place.keep('group', place.scene.run.makeCgroup(mounted));
      },
      reach: (place) => [open(join(place.kept('group'), 'cgroup.procs'), O.RDONLY)],
      calls: (place) => [open(join(place.kept('group'), file), O.WRONLY), write(value)],
      undo: (place) => {
        const group = place.note<string>('group');
        if (group !== undefined) place.scene.run.removeCgroup(group);
      },
    }),
  ),
);
