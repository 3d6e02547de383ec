import type {Attempt} from '../attempt.ts';
import {cis, docker, expectedOfIds, nist, tried} from '../define.ts';
import {call, struct} from '../operation.ts';
import {partner} from '../victims.ts';

const IPC_SET = 1;
const IPC_RMID = 0;
const SHM_LOCK = 11;
const attempts = ['attach', 'set', 'lock', 'remove', 'remove-queue'] as const;

/** From pod to pod, in one IPC namespace. */
export const lateralSysvShmMsg = tried(
  'U',
  {
    id: 'lateral-sysv-shm-msg',
    title: 'System V memory and queues of another pod cannot be used or removed',
    group: 5,
    gain: 'what databases of other pods keep in memory',
    attempt: "shmat(2), IPC_SET, SHM_LOCK and IPC_RMID of a 0600 segment, IPC_RMID of a queue, of the other pod's root",
    expected: expectedOfIds('EACCES', 'EPERM'),
    rule: 'ipc/util.c ipcperms(), ipcctl_obtain_check(): kernel ids, or capabilities over the owner of the IPC namespace',
    references: [cis('5.2.4'), docker('5.17'), nist('3.3.4')],
    abilities: ['two-pods'],
  },
  ...attempts.map(
    (name): Attempt => ({
      name,
      prepare: async (place) => {
        const {calls} = await place.hold(
          partner(place),
          call('shmget', [0, 4096, 0o1600], 'shmget'),
          call('msgget', [0, 0o1600], 'msgget'),
        );
        place.keep('segment', calls[0]?.result ?? -1);
        place.keep('queue', calls[1]?.result ?? -1);
      },
      calls: (place) => {
        const [segment, queue] = [place.kept<number>('segment'), place.kept<number>('queue')];
        const permissions = Buffer.concat([
          struct([0, 4], [0, 4], [0, 4], [0, 4], [0, 4], [0o600, 4]),
          Buffer.alloc(96),
        ]);
        if (name === 'attach') return [call('shmat', [segment, 0, 0], 'shmat')];
        if (name === 'set') return [call('shmctl', [segment, IPC_SET, {bytes: permissions}], 'shmctl(IPC_SET)')];
        if (name === 'lock') return [call('shmctl', [segment, SHM_LOCK, 0], 'shmctl(SHM_LOCK)')];
        if (name === 'remove') return [call('shmctl', [segment, IPC_RMID, 0], 'shmctl(IPC_RMID)')];
        return [call('msgctl', [queue, IPC_RMID, 0], 'msgctl(IPC_RMID)')];
      },
      undo: (place) =>
        place.scene.tidy(
          call('shmctl', [place.note<number>('segment') ?? -1, IPC_RMID, 0], 'shmctl(IPC_RMID)'),
          call('msgctl', [place.note<number>('queue') ?? -1, IPC_RMID, 0], 'msgctl(IPC_RMID)'),
        ),
    }),
  ),
);
