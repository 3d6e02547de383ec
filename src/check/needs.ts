import {existsSync} from 'node:fs';
import {findProgram} from '../host/machine-files.ts';
import type {Need} from './check.ts';
import {cgroupMounts} from './run-folder.ts';

/** Why a need is not met on this machine, or undefined. */
export function missingNeed(need: Need): string | undefined {
  if (need === 'root') {
    const uid = process.geteuid?.() ?? -1;
    return uid === 0 ? undefined : `attackers are played by root of this machine, and we are uid ${uid}`;
  }
  if (need === 'cgroup-v1')
    return Object.keys(cgroupMounts().v1).length > 0 ? undefined : 'no cgroup v1 hierarchy is mounted';
  if (need === 'cgroup-v2') return cgroupMounts().v2 === undefined ? 'no cgroup v2 hierarchy is mounted' : undefined;
  if (need === 'loop-device') return existsSync('/dev/loop-control') ? undefined : 'there is no /dev/loop-control';
  return findProgram('busybox') === undefined ? 'busybox is not installed' : undefined;
}
