import type {CapabilityName} from '../../native-free/capability.ts';
import {printable} from '../../native-free/errors.ts';
import type {MachineFacts, MapHelper} from './facts.ts';
import {type Finding, realModes} from './finding.ts';
import {shellWord} from './shell-word.ts';

const SETUID_BIT = 0o4000;

/** The programs that subroot stands on: perl, newuidmap, newgidmap; and what their versions are known for. */
export function judgeHelpers(facts: MachineFacts): Finding[] {
  return [
    judgePerl(facts),
    judgeHelper('newuidmap', facts.newuidmap, 'CAP_SETUID'),
    judgeHelper('newgidmap', facts.newgidmap, 'CAP_SETGID'),
    judgeUtilLinux(facts),
    judgeShadow(facts),
  ];
}

function judgePerl({perl}: MachineFacts): Finding {
  const base = {
    id: 'perl',
    layer: 'agent',
    expected: 'perl 5.14 or later (perl-base is enough)',
    affects: realModes,
  } as const;
  if (perl !== undefined) return {...base, severity: 'ok', found: `perl ${perl.version} at ${printable(perl.path)}`};
  return {
    ...base,
    severity: 'fail',
    found: 'no perl that runs; the agent that makes namespaces and mounts is a perl script',
    mend: '`apt-get install perl-base` (Debian, Ubuntu), `dnf install perl-interpreter` (Fedora), `apk add perl` (Alpine)',
  };
}

/** Four faults that all look like "write to uid_map failed: Operation not permitted": missing, no privilege, wrong owner, nosuid. */
function judgeHelper(
  name: 'newuidmap' | 'newgidmap',
  helper: MapHelper | undefined,
  capability: CapabilityName,
): Finding {
  const base = {
    id: name,
    layer: 'newuidmap policy',
    expected: `${name} setuid root, or with file capability ${capability.toLowerCase()}=ep, on a mount without nosuid`,
    affects: ['subid'],
  } as const;
  if (helper === undefined)
    return {
      ...base,
      severity: 'fail',
      found: `${name} is not installed`,
      mend: '`apt-get install uidmap` (Debian, Ubuntu), `dnf install shadow-utils` (Fedora), `apk add shadow-uidmap` (Alpine)',
    };
  const {path, mode, uid, fileCapabilities, mountPoint, nosuid} = helper;
  const isSetuid = Math.floor(mode / SETUID_BIT) % 2 === 1;
  const hasCapability = fileCapabilities?.has(capability) === true;
  const word = shellWord(path);
  const shown = `${printable(path)} (mode ${mode.toString(8).padStart(4, '0')}, owner ${uid})`;
  if (!isSetuid && !hasCapability) {
    const caps = fileCapabilities === undefined ? 'no file capabilities' : `file capabilities without ${capability}`;
    return {
      ...base,
      severity: 'fail',
      found: `${shown} has no setuid bit and ${caps}: it can write no map but your own id's`,
      mend: `as root: \`chmod u+s ${word}\`, or \`setcap ${capability.toLowerCase()}=ep ${word}\`, or reinstall its package`,
    };
  }
  if (isSetuid && !hasCapability && uid !== 0)
    return {
      ...base,
      severity: 'fail',
      found: `${shown} is setuid to uid ${uid}, not to root (in a user namespace the host's files look like this)`,
      mend: `as root: \`chown root ${word} && chmod u+s ${word}\`; inside a container install it there`,
    };
  if (nosuid)
    return {
      ...base,
      severity: 'fail',
      found: `${shown} is on ${printable(mountPoint)}, mounted nosuid: its privilege does not count`,
      mend: `as root: \`mount -o remount,suid ${shellWord(mountPoint)}\`, or install it on another file system`,
    };
  const by = hasCapability ? `file capability ${capability}` : 'its setuid bit';
  return {...base, severity: 'ok', found: `${shown} is privileged by ${by}`};
}

function judgeUtilLinux({utilLinux}: MachineFacts): Finding {
  const base = {
    id: 'util-linux',
    severity: 'ok',
    layer: 'agent',
    expected: 'any version: subroot makes its own system calls',
    affects: [],
  } as const;
  if (utilLinux === undefined) return {...base, found: 'util-linux is not installed; nothing of ours needs it'};
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(utilLinux) ?? [];
  const isOld = Number(major) < 2 || (Number(major) === 2 && Number(minor) < 39);
  return {
    ...base,
    found: isOld
      ? `util-linux ${utilLinux}: by hand, mount ignores X-mount.idmap without a word and unshare --map-users takes OUTER,INNER,COUNT`
      : `util-linux ${utilLinux}: by hand, unshare --map-users takes INNER:OUTER:COUNT`,
  };
}

function judgeShadow({ids, newuidmap}: MachineFacts): Finding {
  const base = {
    id: 'shadow',
    severity: 'ok',
    layer: 'subordinate ids',
    expected: 'any version: subroot reads the files as yours does',
    affects: [],
  } as const;
  if (newuidmap === undefined) return {...base, found: "shadow's uidmap tools are not installed"};
  return {
    ...base,
    found:
      ids.shadow === '4.20'
        ? 'shadow 4.14 or later: a subid file without final newline may be refused as a whole, owners without account have no ranges'
        : 'shadow before 4.14: an owner like 01500 is taken as text, ranges past 2^32 are read and fail later',
  };
}
