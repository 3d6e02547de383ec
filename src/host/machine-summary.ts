import {existsSync, readFileSync} from 'node:fs';
import {release} from 'node:os';
import {mountsOf, readText} from './process-view.ts';

/** This machine in four words, for reports. */
export interface MachineSummary {
  readonly kernel: string;
  readonly arch: string;
  /** `v2`, `v1`, `v1+v2`, `none`: hierarchies that are mounted. */
  readonly cgroup: string;
  /** Security modules, as the kernel lists them; `unknown` where securityfs is not mounted. */
  readonly lsm: string;
}

export function machineOf(): MachineSummary {
  const types = new Set(mountsOf('self').map(({type}) => type));
  const cgroup = [types.has('cgroup') ? 'v1' : '', types.has('cgroup2') ? 'v2' : ''].filter(Boolean).join('+');
  const lsm = readText('/sys/kernel/security/lsm')?.trim();
  return {kernel: release(), arch: process.arch, cgroup: cgroup || 'none', lsm: lsm || 'unknown'};
}

/** The version of this package, from the package.json that belongs to this file, wherever the build has put it. */
export function packageVersion(): string {
  for (let folder = new URL('.', import.meta.url); folder.pathname !== '/'; folder = new URL('..', folder)) {
    const path = new URL('package.json', folder);
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as {name?: string; version?: string};
    if (manifest.name === 'subroot' && manifest.version !== undefined) return manifest.version;
  }
  return 'unknown';
}
