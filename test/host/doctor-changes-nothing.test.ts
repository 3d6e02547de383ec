import {readdirSync, readFileSync, readlinkSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {dir} from 'tmp-promise';
import {parseMounts} from '../../src/host/machine-mounts.ts';
import {tryMounts, visibleMounts} from '../../src/host/mount-probe.ts';
import {runCli} from '../cli/run-cli.ts';
import {hostTest, processes} from '../helpers/host-test.ts';

/** What a careless look could change: settings, files of accounts, mounts, the state folder. */
function snapshot(state: string): Readonly<Record<string, string>> {
  const seen: Record<string, string> = {};
  const keep = (name: string, value: () => string) => {
    try {
      seen[name] = value();
    } catch (error) {
      seen[name] = (error as NodeJS.ErrnoException).code ?? 'error';
    }
  };
  for (const folder of ['user', 'kernel', 'fs/inotify', 'kernel/keys', 'kernel/pty', 'net/ipv4'])
    for (const name of names(`/proc/sys/${folder}`)) {
      // Counters and dice, which change by themselves.
      if (/^(?:nr|random|ns_last_pid|.*_nr|.*-nr|bootid|perf_.*|tainted|printk.*)$/.test(name)) continue;
      keep(`${folder}/${name}`, () => readFileSync(`/proc/sys/${folder}/${name}`, 'latin1'));
    }
  for (const path of [
    '/etc/subuid',
    '/etc/subgid',
    '/etc/passwd',
    '/etc/group',
    '/etc/nsswitch.conf',
    '/etc/login.defs',
    '/run',
    '/etc',
    '/usr/bin/newuidmap',
  ])
    keep(path, () => {
      const {mtimeMs, ctimeMs, mode, uid, size} = statSync(path);
      return [mtimeMs, ctimeMs, mode, uid, path.startsWith('/run') ? 0 : size].join(' ');
    });
  keep('mounts', () => readFileSync('/proc/self/mountinfo', 'latin1'));
  keep('namespaces', () =>
    readdirSync('/proc/self/ns')
      .map((name) => readlinkSync(`/proc/self/ns/${name}`))
      .join(),
  );
  keep('state', () => names(state).join());
  keep(
    'setgroups',
    () => readFileSync('/proc/self/setgroups', 'latin1') + readFileSync('/proc/self/uid_map', 'latin1'),
  );
  return seen;
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

hostTest(
  'root',
  'userns',
  'perl',
)('doctor, its mount probes and explain leave the machine as it was', async (t) => {
  const folder = await dir({prefix: 'subroot-look', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const state = join(folder.path, 'none');
  const before = snapshot(state);
  const doctor = await runCli(['doctor', '--mounts', '-o', 'json', '--root', state]);
  const explain = await runCli([
    'explain',
    'newuidmap: write to uid_map failed: Operation not permitted',
    '--root',
    state,
  ]);
  const path = await runCli(['explain', '/etc/shadow', '--map', '0 100000 65536', '--root', state]);
  for (const {exitCode, stderr} of [explain, path]) t.is(exitCode, 0, stderr);
  t.is(doctor.stderr, '');
  const after = snapshot(state);
  for (const name of Object.keys(before)) t.is(after[name], before[name], name);
  t.is(after.state, '', 'the state folder is not made');
  t.deepEqual(
    processes().filter(({commandLine}) => commandLine.includes(state)),
    [],
  );
});

hostTest(
  'root',
  'userns',
  'perl',
)('what the probe says of a mount is what a real try of ours says: ext4 and tmpfs yes, proc and cgroup no', (t) => {
  const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const tries = tryMounts(mounts, '/usr/bin/perl');
  t.is(tries.length, visibleMounts(mounts).length);
  for (const {type, answer, why} of tries) {
    if (['ext4', 'xfs', 'btrfs', 'tmpfs'].includes(type)) t.deepEqual([answer, why], ['yes', null], type);
    if (['proc', 'sysfs', 'cgroup2', 'devpts', 'ramfs'].includes(type))
      t.deepEqual([answer, why], ['no', 'mount_setattr: EINVAL'], type);
  }
  t.true(tries.some(({answer}) => answer === 'yes'));
  t.true(tries.some(({answer}) => answer === 'no'));
  t.deepEqual(
    tryMounts(mounts, undefined).map(({answer}) => answer),
    tries.map(() => 'unknown'),
  );
});
