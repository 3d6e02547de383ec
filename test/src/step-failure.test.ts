import test from 'ava';
import {AgentFailure} from '../../src/host/agent.ts';
import type {Step} from '../../src/host/step.ts';
import {SubrootError} from '../../src/index.ts';
import {explainStep} from '../../src/runtime/step-failure.ts';

const env: Step = ['env', 'PATH', '/usr/bin:/bin'];

/** Each row: the step, the errno, the code, what the message says, what the mend says. */
const rows: readonly (readonly [
  title: string,
  step: Step,
  errno: string,
  code: string,
  message: RegExp,
  mend: RegExp,
])[] = [
  [
    'a namespace limit',
    ['unshare', 'mnt,net'],
    'ENOSPC',
    'SUBROOT_STEP_FAILED',
    /ENOSPC is about that and not about the disk: user\.max_mnt_namespaces is (\d+|\?), user\.max_net_namespaces is/,
    /sysctl/,
  ],
  [
    'a forbidden namespace',
    ['unshare', 'net'],
    'EPERM',
    'SUBROOT_STEP_FAILED',
    /nothing that is known to cause this is so here|seccomp filter answers EPERM|apparmor_restrict_unprivileged_userns is 1/,
    /subroot doctor/,
  ],
  [
    'a group outside of the map',
    ['creds', '1000', '70000', ''],
    'EINVAL',
    'SUBROOT_STEP_FAILED',
    /\(uid 1000, gid 70000 or one of the groups\) has no place in the id map of this user namespace/,
    /use an id of the map/,
  ],
  [
    'a masked /proc above us',
    ['fs', 'proc', 'proc', ''],
    'EPERM',
    'SUBROOT_STEP_FAILED',
    /a new proc needs one in this mount namespace with nothing mounted over it/,
    /unmasked \/proc/,
  ],
  [
    'a hidden /sys above us',
    ['fs', 'sys', 'sysfs', ''],
    'EPERM',
    'SUBROOT_STEP_FAILED',
    /a new sysfs/,
    /\/sys of its own/,
  ],
  [
    'a file system without idmapped mounts',
    ['tree', 'k', '/images/x', 'rec,idmap=pod'],
    'EINVAL',
    'SUBROOT_STEP_FAILED',
    /the file system of \/images\/x cannot be mounted with shifted ids on this kernel/,
    /file system that can.*`subroot explain EINVAL mount idmap`/,
  ],
  [
    'a volume that went away',
    ['tree', 'k', '/host/x', 'rec'],
    'ENOENT',
    'SUBROOT_STEP_FAILED',
    /\/host\/x is not there/,
    /correct the path/,
  ],
  [
    'a working folder that is not there',
    ['chdir', '/no'],
    'ENOENT',
    'SUBROOT_STEP_FAILED',
    /\(chdir \/no\): \/no is not there/,
    /make it/,
  ],
  [
    'a closed folder above',
    ['chdir', '/closed/x'],
    'EACCES',
    'SUBROOT_STEP_FAILED',
    /a folder above \/closed\/x has no x for others/,
    /chmod o\+x/,
  ],
  [
    'an old kernel',
    ['tree', 'k', '/usr', 'ro'],
    'ENOSYS',
    'SUBROOT_STEP_FAILED',
    /does not know the call/,
    /newer kernel/,
  ],
  [
    'a program that is not there',
    ['exec', 'nope', 'x'],
    'ENOENT',
    'SUBROOT_COMMAND_NOT_FOUND',
    /cannot start nope: .*PATH is \/usr\/bin:\/bin/,
    /full path/,
  ],
  [
    'a program that may not be run',
    ['exec', '/x'],
    'EACCES',
    'SUBROOT_COMMAND_NOT_EXECUTABLE',
    /cannot start \/x: .*\(EACCES\)/,
    /chmod \+x/,
  ],
  [
    'a file that is no program',
    ['exec', '/x'],
    'ENOEXEC',
    'SUBROOT_COMMAND_NOT_EXECUTABLE',
    /\(ENOEXEC\)/,
    /interpreter/,
  ],
  [
    'anything else',
    ['setsid'],
    'EIO',
    'SUBROOT_STEP_FAILED',
    /cannot start it: EIO at step 1 of the plan \(setsid\)/,
    /--dry-run/,
  ],
  [
    'a sysctl that is not there',
    ['sysctl', 'net/x', '1'],
    'ENOENT',
    'SUBROOT_STEP_FAILED',
    /ENOENT at step 1 of the plan \(sysctl net\/x 1\): this kernel has no net\/x in a namespace of its own/,
    /leave that sysctl out/,
  ],
  [
    'a filter without the right to load it',
    ['seccomp', '0', '06'],
    'EACCES',
    'SUBROOT_STEP_FAILED',
    /a filter is taken from who has CAP_SYS_ADMIN in the pod, or sets no_new_privs/,
    /allowPrivilegeEscalation to false/,
  ],
  [
    'a filter on a kernel without them',
    ['seccomp', '0', '06'],
    'EINVAL',
    'SUBROOT_STEP_FAILED',
    /this kernel takes no seccomp filter/,
    /CONFIG_SECCOMP_FILTER/,
  ],
];

for (const [title, step, errno, code, message, mend] of rows) {
  test(`${title}: ${step[0]} with ${errno} names the layer’s rule and the mend`, (t) => {
    const error = explainStep(new AgentFailure(1, errno, 'text'), [env, step], 'start it');
    t.true(error instanceof SubrootError);
    t.is(error.code as string, code);
    t.regex(error.shortMessage, message);
    t.regex(error.mend, mend);
    t.true(error.cause instanceof AgentFailure);
  });
}

test('a refused map is explained by the model where its text is at fault, else by who may write it', (t) => {
  const refuse = (map: string, errno: string) =>
    explainStep(new AgentFailure(0, errno, 'text'), [['newuserns', '1', '1', '', map, map]], 'start it');
  const last = refuse('0 4294901760 65536', 'EINVAL');
  t.is(last.code, 'SUBROOT_IDMAP_REFUSED');
  t.regex(last.shortMessage, /65536 ids from the first id outside 4294901760 reach 4294967295, past 4294967294/);
  t.regex(last.mend, /take at most 65535 ids/);
  const foreign = refuse('0 100000 65536', 'EPERM');
  t.regex(foreign.shortMessage, /who may write it/);
  t.regex(foreign.mend, /subroot map --check --map "0 100000 65536".*`subroot explain EPERM write uid_map`/);
  t.is(refuse('0 100000 65536', 'ENOSPC').code, 'SUBROOT_USERNS_LIMIT');
});

test('before the first step a process that is gone and a full disk have codes of their own', (t) => {
  const gone = explainStep(new AgentFailure(-1, 'ESRCH', 'the process is gone'), [env], 'run it');
  t.is(gone.code, 'SUBROOT_PROCESS_GONE');
  t.regex(gone.message, /cannot run it: the process it needs has ended meanwhile/);
  const full = explainStep(new AgentFailure(-1, 'ENOSPC', '/state/x/log: No space left on device'), [env], 'run it');
  t.is(full.code, 'SUBROOT_STATE_DISK_FULL');
  t.regex(full.message, /cannot write \/state\/x\/log: no space is left there \(ENOSPC\)/);
  const other = explainStep(new AgentFailure(-1, 'EMFILE', 'too many'), [env], 'run it');
  t.is(other.code, 'SUBROOT_STEP_FAILED');
  t.regex(other.message, /EMFILE at step 0 of the plan \(before the first step\): too many/);
});

test('what a message quotes of a step is cut and printable', (t) => {
  const error = explainStep(
    new AgentFailure(0, 'EIO', ''),
    [['file', '/x', '0644', `\u001b[31m${'long'.repeat(500)}`]],
    'start it',
  );
  t.true(error.shortMessage.length < 400);
  t.false(error.message.includes('\u001b'));
});
