import {readText} from '../../host/process-view.ts';
import {attack, cve, expectedOfCapability, nist, tried} from '../define.ts';
import {MS, mount, O, open, umount, unshare, write} from '../operation.ts';
import {everyNamespace} from '../scene.ts';

const path = '/proc/sys/kernel/core_pattern';

/** The masks of /proc are only mounts. */
export const maskedPathUnmask = tried(
  'K',
  {
    id: 'masked-path-unmask',
    title: 'without the masks of /proc nothing of the host can be set',
    group: 2,
    gain: "code that root of the node runs: a pod that may mount can take away the runtime's masks, and writes core_pattern",
    attempt:
      "umount(2) of /proc/sys in a copy of the pod's mount namespace, then the same value into kernel/core_pattern",
    expected: expectedOfCapability('EPERM', 'EACCES'),
    rule: 'kernel/sysctl.c, fs/proc/proc_sysctl.c test_perm(): sysctl files are owned by the kernel id 0, and no capability overrides their mode',
    references: [cve('CVE-2025-31133'), cve('CVE-2025-52565'), cve('CVE-2025-52881'), attack('T1611'), nist('3.4.1')],
  },
  {
    who: (place) => (place.isControl ? {} : {inside: everyNamespace}),
    prepare: (place) => {
      place.keep('value', (readText(path) ?? '').trim());
    },
    // A control is a container of its own here: a mount namespace with a read-only /proc/sys.
    calls: (place) => [
      unshare('mnt'),
      mount('none', '/', '', MS.rec + MS.private),
      ...(place.isControl
        ? [
            mount('/proc/sys', '/proc/sys', '', MS.bind),
            mount('none', '/proc/sys', '', MS.bind + MS.remount + MS.rdonly),
          ]
        : []),
      umount('/proc/sys', {optional: true}),
      open(path, O.WRONLY),
      write(`${place.kept<string>('value')}\n`),
    ],
  },
);
