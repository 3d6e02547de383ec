import {syscallLists, syscallsElsewhere} from './syscall-numbers.ts';

/** The architectures that have numbers here, as Node calls them. */
export type SyscallArchitecture = keyof typeof syscallLists;

/** True for an architecture of `process.arch` that has numbers here. */
export function isSyscallArchitecture(name: string): name is SyscallArchitecture {
  return Object.hasOwn(syscallLists, name);
}

const tables = new Map<SyscallArchitecture, ReadonlyMap<string, number>>();

/** Name → number of every system call of an architecture, up to Linux 6.18. */
export function syscallsOf(architecture: SyscallArchitecture): ReadonlyMap<string, number> {
  const known = tables.get(architecture);
  if (known) return known;
  const table = new Map<string, number>();
  for (const line of syscallLists[architecture].trim().split('\n')) {
    const [first = '', ...names] = line.split(' ');
    names.forEach((name, index) => {
      table.set(name, Number(first) + index);
    });
  }
  tables.set(architecture, table);
  return table;
}

let elsewhere: ReadonlySet<string> | undefined;

/** Whether any architecture of Linux has a call of that name. */
export function isSyscallName(name: string): boolean {
  elsewhere ??= new Set(syscallsElsewhere.trim().split(/\s+/));
  return elsewhere.has(name) || (['x64', 'arm64'] as const).some((each) => syscallsOf(each).has(name));
}
