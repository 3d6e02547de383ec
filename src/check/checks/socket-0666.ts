import {attack, byDesign, docker, nist} from '../define.ts';
import {AF, bindUnix, chmod, connectUnix, listen, socket} from '../operation.ts';

/** A socket that lets everybody in. */
export const socket0666 = byDesign(
  {
    id: 'socket-0666',
    title: 'sockets that everybody may write to let the pod in',
    group: 8,
    gain: "whatever speaks there: a runtime's socket with mode 0666 is root of the node",
    attempt: 'connect(2) to a 0666 socket of root',
    expected: {'treatment-all': 'connected', 'treatment-default': 'connected'},
    rule: 'net/unix/af_unix.c unix_find_bsd(): path_permission(MAY_WRITE)',
    references: [attack('T1610'), docker('5.32'), nist('3.4.3')],
    insteadUse: 'the mode of the socket, and not mounting it',
  },
  {
    prepare: async (place) => {
      await place.hold(
        {capabilities: 'all'},
        socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'),
        bindUnix(place.path('socket')),
        chmod(place.path('socket'), 0o666),
        listen(),
      );
    },
    calls: (place) => [socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'), connectUnix(place.path('socket'))],
  },
);
