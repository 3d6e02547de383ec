import {readdirSync} from 'node:fs';
import {readText} from '../../host/process-view.ts';
import {CannotTry} from '../attempt.ts';
import {attack, nist, tried} from '../define.ts';
import {call, prlimit} from '../operation.ts';

const RLIMIT_CORE = 4;
const SIGQUIT = 3;

/** A file of root in a folder of root, made by the kernel. */
export const coreDumpIntoRootDir = tried(
  'U',
  {
    id: 'core-dump-into-root-dir',
    title: "no core file lands in a folder of the host's root",
    group: 4,
    gain: 'a file of root with bytes of the attacker in /etc/cron.d or the like',
    attempt: 'a crash with a 0755 folder of root as the working folder',
    expected: {
      'control-all': 'a core file',
      'control-default': 'a core file',
      'treatment-all': 'none',
      'treatment-default': 'none',
    },
    rule: "fs/coredump.c do_coredump(): the file is opened with the dumper's credentials",
    references: [attack('T1546'), nist('3.4.3')],
  },
  {
    prepare: (place) => {
      const pattern = readText('/proc/sys/kernel/core_pattern')?.trim() ?? '';
      if (/^[|/@]|^$/.test(pattern))
        throw new CannotTry(`core files do not go to the working folder here: kernel.core_pattern is ${pattern}`);
      place.dir('cron.d');
    },
    calls: (place) => [
      prlimit(RLIMIT_CORE, 1 << 30, 1 << 30, 'RLIMIT_CORE'),
      call('chdir', [place.path('cron.d')], 'chdir'),
      call('crash', [SIGQUIT], 'crash'),
    ],
    effect: (place) => readdirSync(place.view('cron.d')).length > 0,
  },
);
