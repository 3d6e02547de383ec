import {attack, docker, expectedOfIds, nist, tried} from '../define.ts';
import {AF, bindUnix, chmod, connectUnix, listen, socket} from '../operation.ts';

/** Whoever may speak to the runtime is root of the node. */
export const runtimeSocket0660 = tried(
  'U',
  {
    id: 'runtime-socket-0660',
    title: "the runtime's socket does not answer the pod",
    group: 5,
    gain: 'privileged containers: root of the node, by asking for it',
    attempt: 'connect(2) to a 0660 socket of root:root, as that of a container runtime is',
    expected: expectedOfIds('EACCES'),
    rule: 'net/unix/af_unix.c unix_find_bsd(): path_permission(MAY_WRITE)',
    references: [attack('T1610'), attack('T1552.007'), docker('5.32'), nist('3.4.3')],
  },
  {
    prepare: async (place) => {
      for (const [name, mode] of [
        ['socket', 0o660],
        ['open', 0o666],
      ] as const)
        await place.hold(
          {capabilities: 'all'},
          socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'),
          bindUnix(place.path(name)),
          chmod(place.path(name), mode),
          listen(),
        );
    },
    reach: (place) => [socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'), connectUnix(place.path('open'))],
    calls: (place) => [socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'), connectUnix(place.path('socket'))],
  },
);
