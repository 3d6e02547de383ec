import {cve, expectedOfCapability, nist, tried} from '../define.ts';
import {ioctl, O, open, struct} from '../operation.ts';

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSTI = 0x5412;

/** Keys on a terminal that is not one's own; the controlling terminal is another matter, see controlling-tty-tiocsti. */
export const ttyInjectForeign = tried(
  'K',
  {
    id: 'tty-inject-foreign',
    title: "nothing can be typed into another's terminal",
    group: 3,
    gain: 'commands in the shell of an administrator whose terminal the pod holds open',
    attempt: 'ioctl(2) TIOCSTI on a terminal that is not the controlling one',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'drivers/tty/tty_io.c tiocsti(): capable(CAP_SYS_ADMIN) in the initial user namespace',
    references: [cve('CVE-2017-5226'), nist('3.5.2')],
  },
  {
    refusals: ['EIO'],
    calls: () => [
      open('/dev/ptmx', O.RDWR + O.NOCTTY, {as: 'master'}),
      ioctl('master', TIOCSPTLCK, {bytes: struct([0, 4])}, 'TIOCSPTLCK'),
      ioctl('master', TIOCGPTPEER, O.RDWR + O.NOCTTY, 'TIOCGPTPEER', {as: 'slave'}),
      ioctl('slave', TIOCSTI, {bytes: Buffer.from('#')}, 'TIOCSTI'),
    ],
  },
);
