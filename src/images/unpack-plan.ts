import {type CapabilityName, formatCapabilityMask, noCapabilities} from '../../native-free/capability.ts';
import type {Step} from '../host/step.ts';
import {rootMountPoint} from '../runtime/sandbox-plan.ts';
import {holdUserland, placeUserland, type UserlandEntry} from '../runtime/userland.ts';
import {aufsNames, type Whiteout} from './layer-check.ts';

/** What giving files their owners, modes and attributes needs. Not CAP_MKNOD: device nodes are left out. */
const unpackCapabilities: ReadonlySet<CapabilityName> = new Set([
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_SETFCAP',
]);

export interface UnpackPlanInput {
  readonly userland: readonly UserlandEntry[];
  /** Pid of the process that keeps the unpacker's namespaces. */
  readonly holderPid: number;
  /** The folder that becomes the layer's tree. */
  readonly folder: string;
  /** Its mount is shifted by the unpacker's user namespace: what root in it makes belongs to id 0 on disk. */
  readonly idmapped: boolean;
  readonly groups: '' | '-';
}

/**
 * The confinement of everything that an archive can steer: a user namespace whose ids own nothing, a root that is this machine's userland
 * read-only, and the one folder that may be written. Up to the chdir into that folder.
 */
function planConfinement(input: UnpackPlanInput): Step[] {
  const flags = `nosuid,nodev${input.idmapped ? ',idmap=unpacker' : ''}`;
  return [
    ...(input.idmapped ? ([['openuserns', 'unpacker', String(input.holderPid)]] satisfies Step[]) : []),
    ...holdUserland(input.userland),
    ['tree', 'layer', input.folder, flags],
    ['join', 'user,net,ipc,uts'],
    ['creds', '0', '0', input.groups],
    ['unshare', 'mnt'],
    ['pdeathsig', 'KILL'],
    ['whoami'],
    ['setsid'],
    ['mount', '', '/', '', 'rec,private', ''],
    ['fs', 'root', 'tmpfs', 'nosuid,nodev', 'mode=0755', 'size=64k'],
    ['attach', 'root', rootMountPoint],
    ['pivot', rootMountPoint],
    ...placeUserland(input.userland),
    ['mkdir', '/layer', '0755'],
    ['attach', 'layer', '/layer'],
    ['mount', '', '/', '', 'bind,remount,ro,nosuid,nodev', ''],
    ['umask', '0022'],
    ['chdir', '/layer'],
  ];
}

function planExec(argv: readonly string[]): Step[] {
  const mask = formatCapabilityMask(unpackCapabilities);
  const none = formatCapabilityMask(noCapabilities);
  return [
    ['bounding', mask],
    ['capabilities', mask, none, none],
    ['nonewprivs'],
    ['env', 'PATH', '/usr/bin:/bin'],
    ['env', 'LC_ALL', 'C'],
    ['exec', ...argv],
  ];
}

/** The plan of GNU tar that unpacks a plain tar from its standard input. `single`: all files are of one id, whatever the archive says. */
export function planUnpack(input: UnpackPlanInput & {readonly single: boolean}): Step[] {
  return [
    ...planConfinement(input),
    ...planExec([
      'tar',
      '--extract',
      '--file=-',
      '--numeric-owner',
      input.single ? '--no-same-owner' : '--same-owner',
      '--same-permissions',
      '--delay-directory-restore',
      '--xattrs',
      '--xattrs-include=user.*',
      '--xattrs-include=security.capability',
      // Overlayfs would take these for its own, such as "this file is elsewhere".
      '--xattrs-exclude=user.overlay.*',
      '--no-acls',
      '--no-selinux',
      '--warning=no-timestamp',
      '--warning=no-unknown-keyword',
      ...aufsNames.map((name) => `--exclude=${name}`),
    ]),
  ];
}

/** The plan that turns a layer's whiteouts into those of overlayfs, in the same confinement. */
export function planWhiteouts(input: UnpackPlanInput, whiteouts: readonly Whiteout[]): Step[] {
  return [
    ...planConfinement(input),
    ...whiteouts.map(({folder, name}): Step => (name === undefined ? ['opaque', folder] : ['whiteout', folder, name])),
    ...planExec(['true']),
  ];
}
