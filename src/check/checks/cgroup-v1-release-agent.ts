import {attack, cve, expectedOfCapability, nist, tried} from '../define.ts';
import {mount, O, open, umount, write} from '../operation.ts';

/** What CVE-2022-0492 was about. */
export const cgroupV1ReleaseAgent = tried(
  'K',
  {
    id: 'cgroup-v1-release-agent',
    title: 'the program that runs when a control group empties cannot be set',
    group: 3,
    gain: 'a program that root of the host runs',
    attempt: 'open(2) of release_agent of a canary v1 hierarchy for writing, and an empty value',
    expected: expectedOfCapability('EPERM', 'EACCES'),
    rule: "kernel/cgroup/cgroup-v1.c cgroup_release_agent_write(): the file is root's, and wants CAP_SYS_ADMIN in the initial user namespace since the fix",
    references: [cve('CVE-2022-0492'), attack('T1611'), nist('3.4.1')],
    needs: ['cgroup-v1'],
    alone: true,
  },
  {
    prepare: async (place) => {
      place.dir('hierarchy');
      await place.asHost(
        mount(
          'none',
          place.path('hierarchy'),
          'cgroup',
          0,
          `none,name=subroot-${place.scene.run.name.slice(0, 24)}-${place.arm}`,
        ),
      );
    },
    reach: (place) => [open(place.path('hierarchy/notify_on_release'), O.RDONLY)],
    calls: (place) => [open(place.path('hierarchy/release_agent'), O.WRONLY), write('\n')],
    undo: (place) => place.scene.tidy(umount(place.path('hierarchy'))),
  },
);
