import {byDesign, cis, cve, nist} from '../define.ts';
import {AF, bindUnix, connectUnix, listen, socket} from '../operation.ts';

/** Sockets without a file have no mode. */
export const abstractSocketReachable = byDesign(
  {
    id: 'abstract-socket-reachable',
    title: 'abstract sockets of the host are reachable in its network namespace',
    group: 8,
    gain: 'D-Bus, X11, and containerd shims before CVE-2020-15257 was fixed',
    attempt: 'connect(2) to an abstract Unix socket of root, in a network namespace that root of the host owns',
    expected: {'treatment-all': 'connected', 'treatment-default': 'connected'},
    rule: 'net/unix/af_unix.c unix_find_abstract(): a name in the network namespace, and nothing more',
    references: [cve('CVE-2020-15257'), cis('5.2.5'), nist('3.4.2')],
    insteadUse: 'a network namespace',
  },
  {
    prepare: async (place) => {
      await place.hold(
        {capabilities: 'all'},
        socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'),
        bindUnix(`\0subroot-${place.arm}`),
        listen(),
      );
    },
    calls: (place) => [socket(AF.unix, 1, 0, 'AF_UNIX, SOCK_STREAM'), connectUnix(`\0subroot-${place.arm}`)],
  },
);
