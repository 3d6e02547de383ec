import {byDesign, cve, nist} from '../define.ts';
import {call, fork, ioctl, O, open, struct} from '../operation.ts';

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSCTTY = 0x540e;
const TIOCSTI = 0x5412;

/** Keys on the terminal that one sits at. */
export const controllingTtyTiocsti = byDesign(
  {
    id: 'controlling-tty-tiocsti',
    title: 'a pod can type into its controlling terminal',
    group: 8,
    gain: 'commands in the shell that started the pod, if that handed over its own terminal',
    attempt: 'ioctl(2) TIOCSTI on the controlling terminal',
    expected: {'treatment-all': 'typed', 'treatment-default': 'typed'},
    rule: 'drivers/tty/tty_io.c tiocsti(): allowed on the controlling terminal while dev.tty.legacy_tiocsti is 1',
    references: [cve('CVE-2017-5226'), nist('3.4.3')],
    insteadUse: 'a terminal of its own for each pod, a session of its own, or dev.tty.legacy_tiocsti = 0',
  },
  {
    calls: () => [
      // A leader of a process group cannot begin a session.
      fork(),
      call('setsid', [], 'setsid'),
      open('/dev/ptmx', O.RDWR + O.NOCTTY, {as: 'master'}),
      ioctl('master', TIOCSPTLCK, {bytes: struct([0, 4])}, 'TIOCSPTLCK'),
      ioctl('master', TIOCGPTPEER, O.RDWR + O.NOCTTY, 'TIOCGPTPEER', {as: 'slave'}),
      ioctl('slave', TIOCSCTTY, 0, 'TIOCSCTTY'),
      ioctl('slave', TIOCSTI, {bytes: Buffer.from('#')}, 'TIOCSTI'),
    ],
  },
);
