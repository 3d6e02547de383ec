import {existsSync} from 'node:fs';
import type {Attempt} from '../attempt.ts';
import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {call, O, open} from '../operation.ts';

/** Memory and ports of the machine. */
export const devMem = tried(
  'K',
  {
    id: 'dev-mem',
    title: "the machine's memory and ports cannot be reached",
    group: 3,
    gain: 'every byte of the node, past the kernel',
    attempt: 'open(2) of /dev/mem and /proc/kcore, iopl(2)',
    expected: expectedOfCapability('EPERM', 'EACCES', 'EPERM'),
    rule: 'drivers/char/mem.c open_port(), fs/proc/kcore.c open_kcore(), arch/x86/kernel/ioport.c ksys_iopl(): capable(CAP_SYS_RAWIO)',
    references: [attack('T1611'), docker('5.4'), nist('3.5.2')],
  },
  ...['/dev/mem', '/proc/kcore'].map(
    (path): Attempt => ({
      name: path.slice(1).replace('/', '-'),
      prepare: () => {
        if (!existsSync(path)) throw new Error(`there is no ${path}`);
      },
      calls: () => [open(path, O.RDONLY)],
    }),
  ),
  {name: 'iopl', calls: () => [call('iopl', [3], 'iopl(3)')]},
);
