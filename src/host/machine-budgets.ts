import {join} from 'node:path';
import type {BudgetFacts} from '../doctor/facts.ts';
import {exists, readNumber, readText} from './machine-files.ts';

/** Reads what is limited and how much of it is taken; `uid` is whose keys are counted. Takes about a millisecond; never throws. */
export function readBudgets(uid: number): BudgetFacts {
  const limits = readText('/proc/self/limits') ?? '';
  const used = readNumber('/proc/sys/kernel/pty/nr');
  const max = readNumber('/proc/sys/kernel/pty/max');
  return {
    inotifyWatches: readNumber('/proc/sys/fs/inotify/max_user_watches'),
    ptys: used === undefined || max === undefined ? undefined : {used, max},
    keys: parseKeyUsers(readText('/proc/key-users') ?? '', uid),
    processes: softLimit(limits, 'Max processes'),
    openFiles: softLimit(limits, 'Max open files'),
    pidsCgroup: readPidsCgroup(readText('/proc/self/cgroup') ?? ''),
    threadsMax: readNumber('/proc/sys/kernel/threads-max'),
    mountMax: readNumber('/proc/sys/fs/mount-max'),
  };
}

/** The quota of keys of a uid: `0: 9 8/8 3/1000000 40/25000000` has usage, keys, quota of keys, quota of bytes. Source: proc_keys(5). */
export function parseKeyUsers(text: string, uid: number): BudgetFacts['keys'] {
  const match = new RegExp(String.raw`^\s*${uid}:\s+\d+\s+\d+/\d+\s+(\d+)/(\d+)`, 'm').exec(text);
  return match === null ? undefined : {used: Number(match[1]), max: Number(match[2])};
}

/** The soft value of a line of /proc/PID/limits, or undefined when there is none or it is unlimited. */
export function softLimit(text: string, name: string): number | undefined {
  const value = new RegExp(String.raw`^${name}\s+(\d+)`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

function readPidsCgroup(text: string): BudgetFacts['pidsCgroup'] {
  const unified = /^0::(.*)$/m.exec(text)?.[1];
  const v1 = /^\d+:(?:\w+,)*pids(?:,\w+)*:(.*)$/m.exec(text)?.[1];
  const folders = [
    ...(v1 === undefined ? [] : [join('/sys/fs/cgroup/pids', v1)]),
    ...(unified === undefined ? [] : [join('/sys/fs/cgroup', unified), join('/sys/fs/cgroup/unified', unified)]),
  ];
  const folder = folders.find((each) => exists(join(each, 'pids.max')));
  if (folder === undefined) return undefined;
  const max = readNumber(join(folder, 'pids.max'));
  const used = readNumber(join(folder, 'pids.current'));
  return max === undefined || used === undefined ? undefined : {used, max};
}
