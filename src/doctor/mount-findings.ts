import {printable} from '../../native-free/errors.ts';
import type {MachineFacts, MountFact} from './facts.ts';
import {type Finding, realModes} from './finding.ts';
import {visibilityOf} from './visible-mounts.ts';

const MAX_SHOWN = 5;
/** Without these no plan can be carried out. */
const neededFileSystems = ['proc', 'sysfs', 'tmpfs', 'devpts'] as const;
const usefulFileSystems = ['overlay', 'mqueue', 'cgroup2'] as const;
const networkTypes = /^(?:nfs4?|cifs|smb3|9p|afs|ceph|glusterfs|fuse\.(?:sshfs|glusterfs|ceph))$/;

/** What is mounted here, and what that lets pods mount. Nothing is tried: `doctor --mounts` does that. */
export function judgeMounts(facts: MachineFacts): Finding[] {
  return [
    judgeVisible(facts, 'proc'),
    judgeVisible(facts, 'sysfs'),
    judgeProc(facts),
    judgeFileSystems(facts),
    judgeNetwork(facts),
    judgeMountCount(facts),
  ];
}

function judgeVisible({mounts}: MachineFacts, type: 'proc' | 'sysfs'): Finding {
  const place = type === 'proc' ? '/proc' : '/sys';
  const base = {
    id: `${type}-visible`,
    layer: 'container',
    expected: `a ${type} with nothing mounted over it: without one the kernel lets no pod have a new one`,
    affects: realModes,
  } as const;
  const {visible, covered} = visibilityOf(mounts, type);
  if (mounts.length === 0) return {...base, severity: 'ok', found: '/proc/self/mountinfo cannot be read'};
  if (visible) return {...base, severity: 'ok', found: `a whole ${type} is mounted here`};
  const unmask =
    type === 'proc'
      ? '`--security-opt unmask=ALL` (podman), `--security-opt systempaths=unconfined` (Docker), `procMount: Unmasked` with `hostUsers: false` (Kubernetes)'
      : '`--security-opt unmask=ALL` (podman), `--privileged` (Docker)';
  if (covered.length === 0)
    return {
      ...base,
      severity: 'fail',
      found: `no whole ${type} is mounted in our mount namespace`,
      mend: `as root: \`mount -t ${type} ${type} ${place}\`, or start the outer container with one: ${unmask}`,
    };
  const more = covered.length > MAX_SHOWN ? ` and ${covered.length - MAX_SHOWN} more` : '';
  return {
    ...base,
    severity: 'fail',
    found: `over ${place} something is mounted: ${covered.slice(0, MAX_SHOWN).map(printable).join(', ')}${more}`,
    mend: `start the outer container without masks: ${unmask}`,
  };
}

function judgeProc({mounts}: MachineFacts): Finding {
  const base = {
    id: 'proc-mount',
    layer: 'container',
    expected: '/proc mounted read-write, without hidepid and subset',
    affects: realModes,
  } as const;
  const mount = mounts.findLast(({point, type}) => point === '/proc' && type === 'proc');
  if (mount === undefined) return {...base, severity: 'ok', found: 'nothing is mounted at /proc that we can see'};
  if (isReadOnly(mount))
    return {
      ...base,
      severity: 'fail',
      found: '/proc is mounted read-only: uid_map cannot be opened for writing (EROFS)',
      mend: 'as root: `mount -o remount,rw /proc`, or start the outer container with a writable /proc',
    };
  const narrow = mount.superOptions.filter((option) => /^(?:hidepid=(?!0|off)|subset=)/.test(option));
  if (narrow.length === 0) return {...base, severity: 'ok', found: '/proc is mounted read-write and whole'};
  return {
    ...base,
    severity: 'warn',
    found: `/proc is mounted with ${narrow.map(printable).join(', ')}: processes of others, or all settings, are hidden from us`,
    mend: 'as root: `mount -o remount,hidepid=0 /proc`, or run subroot as root',
  };
}

function isReadOnly({options, superOptions}: MountFact): boolean {
  return options.includes('ro') || superOptions.includes('ro');
}

function judgeFileSystems({fileSystems}: MachineFacts): Finding {
  const base = {
    id: 'file-systems',
    layer: 'kernel',
    expected: [...neededFileSystems, ...usefulFileSystems].join(' '),
    affects: realModes,
  } as const;
  if (fileSystems.length === 0) return {...base, severity: 'ok', found: '/proc/filesystems cannot be read'};
  const missing = neededFileSystems.filter((name) => !fileSystems.includes(name));
  if (missing.length > 0)
    return {
      ...base,
      severity: 'fail',
      found: `the kernel has no ${missing.join(', no ')}`,
      mend: 'run a kernel that is built with them',
    };
  const absent = usefulFileSystems.filter((name) => !fileSystems.includes(name));
  if (absent.length === 0) return {...base, severity: 'ok', found: 'the kernel has every file system that pods mount'};
  return {
    ...base,
    severity: 'warn',
    found: `the kernel has no ${absent.join(', no ')} (or the module is not loaded)`,
    mend: `as root: \`modprobe ${absent.join(' ')}\``,
  };
}

/** A note: such mounts are fine, and cannot be volumes of pods with user namespaces. */
function judgeNetwork({mounts}: MachineFacts): Finding {
  const found = mounts.filter(({type}) => networkTypes.test(type));
  const shown = found.slice(0, MAX_SHOWN).map(({point, type}) => `${printable(point)} (${type})`);
  return {
    id: 'network-file-systems',
    severity: 'ok',
    layer: 'file system',
    found:
      found.length === 0
        ? 'no network file system is mounted'
        : `${shown.join(', ')}${found.length > MAX_SHOWN ? ' and more' : ''}: their ids cannot be shifted, so a pod sees nobody's files there`,
    expected: 'volumes of pods on local file systems',
    affects: [],
  };
}

function judgeMountCount({mounts, budgets}: MachineFacts): Finding {
  const {mountMax} = budgets;
  const base = {
    id: 'mount-budget',
    layer: 'kernel limit',
    expected: 'fs.mount-max well above what is mounted: each pod begins with a copy of all mounts',
    affects: realModes,
  } as const;
  const found = `${mounts.length} mounts, fs.mount-max is ${mountMax ?? 'unknown'}`;
  if (mountMax === undefined || mounts.length <= mountMax * 0.8) return {...base, severity: 'ok', found};
  return {...base, severity: 'warn', found, mend: `as root: \`sysctl -w fs.mount-max=${mountMax * 4}\``};
}
