import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {dir} from 'tmp-promise';
import {type NodeOptions, type PodInput, type PodNode, SubrootError} from '../../src/index.ts';
import {ChildNode} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest, withNode} from '../helpers/host-test.ts';
import {exitOf, initOf, sh, statusField} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';
import {answersOf, type Call, callsScript, callWords} from '../helpers/system-calls.ts';

const rootTest = hostTest('root', 'userns', 'perl');
const userTest = hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv');

const runtimeDefault = {seccompProfile: {type: 'RuntimeDefault'}};
const [EPERM, ENOSYS] = ['1', '38'];
const AF_VSOCK = 40;
const NEWUTS = 0x04000000;

/** Calls that tell a filtered program from another; what they are answered without a filter is the control of each test. */
const telling: readonly Call[] = [
  ['getpid'],
  ['unshare', NEWUTS],
  ['clone3', 0, 0],
  ['socket', AF_VSOCK, 1, 0],
  ['socket', 1, 1, 0],
  ['keyctl', 1, 0],
  ['io_uring_setup', 1, 0],
];

async function withProfiles(
  t: ExecutionContext,
  profiles: Readonly<Record<string, unknown>>,
  options: NodeOptions = {},
): Promise<{node: PodNode; folder: string}> {
  const folder = await dir({prefix: 'subroot-seccomp', unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  for (const [name, profile] of Object.entries(profiles)) {
    mkdirSync(join(folder.path, name, '..'), {recursive: true});
    writeFileSync(join(folder.path, name), typeof profile === 'string' ? profile : JSON.stringify(profile));
  }
  return {node: await withNode(t, {seccompRoot: folder.path, ...options}), folder: folder.path};
}

function localhost(name: string): NonNullable<PodInput['securityContext']> {
  return {seccompProfile: {type: 'Localhost', localhostProfile: name}};
}

rootTest.serial(
  'RuntimeDefault filters the init and every program that is exec’ed, and nothing says Unconfined',
  async (t) => {
    const node = await withNode(t);
    const plain = await node.runPod({});
    t.is(statusField(await initOf(plain), 'Seccomp'), '0');
    t.is(
      await answersOf(plain, [
        ['socket', AF_VSOCK, 1, 0],
        ['keyctl', 1, 0],
      ]),
      'ok ok',
    );
    const [, , clone3 = ''] = (await answersOf(plain, telling)).split(' ');
    t.not(clone3, ENOSYS, 'the control: this kernel has clone3');

    const script = `${callsScript}; sleep 1000`;
    const pod = await node.runPod({
      securityContext: runtimeDefault,
      command: ['perl', '-e', `$| = 1; ${script}`, ...callWords(telling)],
    });
    const expected = `ok ${EPERM} ${ENOSYS} ${EPERM} ok ${EPERM} ${EPERM}`;
    t.is(statusField(await initOf(pod), 'Seccomp'), '2');
    t.is(await answersOf(pod, telling), expected, 'an exec');
    t.is(await sh(pod, 'grep Seccomp: /proc/self/status'), 'Seccomp:\t2');
    const {stdout} = await node.runtime.execSync({
      containerId: (await pod.containerId()) ?? '',
      cmd: ['perl', '-e', callsScript, ...callWords(telling)],
    });
    t.is(String(stdout).trim(), expected, 'an ExecSync');
    t.is((await pod.logs())[0]?.text, expected, 'the init');
  },
);

rootTest.serial(
  'no_new_privs is as the pod says, whoever the program is, and CAP_SYS_ADMIN does not outlast the load',
  async (t) => {
    const node = await withNode(t);
    for (const runAsUser of [0, 1000]) {
      for (const allowPrivilegeEscalation of [true, false]) {
        const what = `uid ${runAsUser}, escalation ${allowPrivilegeEscalation}`;
        const pod = await node.runPod({securityContext: {...runtimeDefault, runAsUser, allowPrivilegeEscalation}});
        const pid = await initOf(pod);
        const inExec = await sh(pod, 'cat /proc/self/status');
        for (const read of [
          (field: string) => statusField(pid, field),
          (field: string) => new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(inExec)?.[1]?.trim(),
        ]) {
          t.is(read('Seccomp'), '2', what);
          t.is(read('Seccomp_filters'), '1', what);
          t.is(read('NoNewPrivs'), allowPrivilegeEscalation ? '0' : '1', what);
          t.is(read('CapBnd'), '00000000a80425fb', what);
          for (const field of ['CapPrm', 'CapEff'])
            t.is(read(field), runAsUser === 0 ? '00000000a80425fb' : '0000000000000000', `${what} ${field}`);
          for (const field of ['CapInh', 'CapAmb']) t.is(read(field), '0000000000000000', `${what} ${field}`);
        }
        await pod.remove();
      }
    }
  },
);

rootTest.serial(
  'a filtered program may still gain privileges by a set-uid file, and one that may not gain them does not',
  async (t) => {
    const node = await withNode(t);
    const asUser = async (allowPrivilegeEscalation: boolean) => {
      const pod = await node.runPod({securityContext: {...runtimeDefault, allowPrivilegeEscalation}});
      await sh(pod, 'cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id');
      return await sh(pod, '/tmp/id -u', {uid: 1000, gid: 1000});
    };
    t.is(await asUser(true), '0');
    t.is(await asUser(false), '1000');
  },
);

rootTest.serial('a capability opens what belongs to it, and a privileged container has no filter', async (t) => {
  const node = await withNode(t);
  const admin = await node.runPod({securityContext: {...runtimeDefault, capabilities: {add: ['SYS_ADMIN']}}});
  t.is(
    await answersOf(admin, [
      ['unshare', NEWUTS],
      ['keyctl', 1, 0],
    ]),
    `ok ${EPERM}`,
  );
  const none = await node.runPod({securityContext: {...runtimeDefault, capabilities: {drop: ['ALL']}}});
  t.is(await answersOf(none, [['chroot', 0]]), EPERM, 'chroot is for CAP_SYS_CHROOT');
  t.is(statusField(await initOf(none), 'CapEff'), '0000000000000000');
  const privileged = await node.runPod({securityContext: {...runtimeDefault, privileged: true}});
  t.is(statusField(await initOf(privileged), 'Seccomp'), '0');
  t.is(await answersOf(privileged, [['keyctl', 1, 0]]), 'ok');
});

rootTest.serial('with seccompDefault who says nothing gets RuntimeDefault, and Unconfined is none', async (t) => {
  const node = await withNode(t, {seccompDefault: true});
  t.is(statusField(await initOf(await node.runPod({})), 'Seccomp'), '2');
  const unconfined = await node.runPod({securityContext: {seccompProfile: {type: 'Unconfined'}}});
  t.is(statusField(await initOf(unconfined), 'Seccomp'), '0');
});

rootTest.serial('a Localhost profile of the node is what the programs of its container are answered', async (t) => {
  const {node, folder} = await withProfiles(t, {
    'team/deny.json': {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
      syscalls: [
        {names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 95},
        {names: ['sethostname'], action: 'SCMP_ACT_KILL_PROCESS'},
        {
          names: ['dup3'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 77,
          args: [
            {index: 1, op: 'SCMP_CMP_GE', value: 500},
            {index: 2, op: 'SCMP_CMP_EQ', value: 0},
          ],
        },
      ],
    },
  });
  const pod = await node.runPod({securityContext: localhost('team/deny.json')});
  t.is(await answersOf(pod, [['getppid'], ['getpid'], ['dup3', 1, 600, 0], ['dup3', 1, 400, 0]]), '95 ok 77 ok');
  // What is exec'ed later has the profile of the container's making, whatever became of the file.
  writeFileSync(join(folder, 'team/deny.json'), '{}');
  t.is(await answersOf(pod, [['getppid']]), '95');
  const killed = await pod.exec(['perl', '-e', callsScript, ...callWords([['sethostname', 0, 0]])], {reject: false});
  t.is(killed.exitCode, 128 + 31, 'SIGSYS');
  const own = await node.runPod({
    securityContext: {seccompProfile: {type: 'Unconfined'}},
    command: ['perl', '-e', `${callsScript}`, ...callWords([['getppid']])],
  });
  t.is(await exitOf(own), 0);
});

rootTest.serial(
  'a filter that forbids write and exit is loaded all the same: only the exec of ours passes it',
  async (t) => {
    const {node} = await withProfiles(t, {
      'strict.json': {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          {names: ['write', 'capset', 'setresuid', 'setgroups', 'prctl'], action: 'SCMP_ACT_ERRNO', errnoRet: 1},
        ],
      },
      'no-exec.json': {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{names: ['execve'], action: 'SCMP_ACT_ERRNO', errnoRet: 13}],
      },
    });
    for (const runAsUser of [0, 1000]) {
      const pod = await node.runPod({securityContext: {...localhost('strict.json'), runAsUser}});
      t.is(statusField(await initOf(pod), 'Seccomp'), '2');
    }
    await t.throwsAsync(node.runPod({securityContext: localhost('no-exec.json')}), {
      instanceOf: SubrootError,
      code: 'SUBROOT_SECCOMP_PROFILE',
      message: /no-exec\.json: syscalls: it refuses execve, by which the program of its container is started/,
    });
  },
);

// The numbers of i386 and x32 are of x86-64 machines only.
const x64Test = process.arch === 'x64' ? rootTest : undefined;
x64Test?.serial(
  '32-bit programs are ended and x32 calls unknown: a filter of 64-bit numbers cannot be passed by',
  async (t) => {
    const {node} = await withProfiles(t, {'all.json': {defaultAction: 'SCMP_ACT_ALLOW'}});
    // mov eax, 1; mov ebx, 7; int 0x80: exit(7) as i386 has it, in a file of its own.
    const code = Buffer.from('b801000000bb07000000cd80', 'hex');
    const size = 0x54 + code.length;
    const header = Buffer.alloc(0x54);
    header.write('7f454c46010101', 0, 'hex');
    const words16: [number, number][] = [
      [16, 2],
      [18, 3],
      [40, 52],
      [42, 32],
      [44, 1],
    ];
    for (const [at, value] of words16) header.writeUInt16LE(value, at);
    const base = 0x08048000;
    const words32: [number, number][] = [
      [20, 1],
      [24, base + 0x54],
      [28, 52],
      [52, 1],
      [60, base],
      [64, base],
      [68, size],
      [72, size],
      [76, 5],
      [80, 4096],
    ];
    for (const [at, value] of words32) header.writeUInt32LE(value, at);
    const elf = Buffer.concat([header, code]).toString('hex');
    const run = async (securityContext: NonNullable<PodInput['securityContext']> = {}) => {
      const pod = await node.runPod({securityContext});
      const script =
        'open my $f, ">", "/tmp/elf"; print $f pack "H*", $ARGV[0]; close $f; chmod 0755, "/tmp/elf"; exec "/tmp/elf"';
      const {exitCode} = await pod.exec(['perl', '-e', script, elf], {reject: false});
      return {exitCode, x32: await answersOf(pod, [[0x40000000 + 39]])};
    };
    const control = await run();
    // A kernel without them refuses the exec itself.
    const ended = control.exitCode === 7 ? 128 + 31 : control.exitCode;
    t.deepEqual(await run(localhost('all.json')), {exitCode: ended, x32: ENOSYS});
    t.deepEqual(await run(runtimeDefault), {exitCode: ended, x32: ENOSYS});
  },
);

rootTest.serial('a profile that cannot be used is refused by name, and nothing of its pod stays', async (t) => {
  const {node, folder} = await withProfiles(t, {
    'text.json': 'not json',
    'half.json': '{"defaultAction": "SCMP_ACT_ALLOW", ',
    'twice.json': '{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_KILL"}',
    'word.json': {defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{names: ['reboto'], action: 'SCMP_ACT_ERRNO'}]},
    'folder/x.json': {},
    'big.json': ' '.repeat(1024 * 1024 + 1),
  });
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  symlinkSync('/etc/passwd', join(folder, 'link'));
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['missing.json', /missing\.json: its file: it is not there/],
    ['text.json', /text\.json: its file: it is not JSON/],
    ['half.json', /half\.json: its file: it is not JSON/],
    ['twice.json', /twice\.json: its file: it is not JSON: .*unique/],
    ['word.json', /word\.json: syscalls: there is no system call reboto \(did you mean reboot\?\)/],
    ['folder', /folder: its file: it is no plain file/],
    ['folder/x.json', /x\.json: defaultAction: it is missing/],
    ['fifo', /fifo: its file: it is no plain file/],
    ['link', /link: its file: it cannot be read \(ELOOP\)/],
    ['big.json', /big\.json: its file: it has more than 1048576 bytes/],
  ];
  for (const [name, message] of refusals) {
    await t.throwsAsync(
      node.runPod({securityContext: localhost(name)}),
      {instanceOf: SubrootError, code: 'SUBROOT_SECCOMP_PROFILE', message},
      name,
    );
  }
  for (const name of ['/etc/passwd', '../secret.json', 'a/../../b']) {
    await t.throwsAsync(
      node.runPod({securityContext: localhost(name)}),
      {code: 'SUBROOT_POD_INVALID', message: /localhostProfile: Invalid value/},
      name,
    );
  }
  t.is((await node.pods()).length, 0);
});

userTest.serial('a user’s pod is filtered as root’s is, with privileges to gain and without', async (t) => {
  const first = 2_310_000_000 + (process.pid % 500) * 100_000;
  const user = await fakeUser(t, {subuid: `NAME:${first}:65536\n`});
  const lab = await makeLab(t, {uid: user.uid});
  const profiles = await dir({prefix: 'subroot-seccomp', unsafeCleanup: true});
  t.teardown(() => profiles.cleanup());
  chmodSync(profiles.path, 0o755);
  const deny = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{names: ['getppid'], action: 'SCMP_ACT_ERRNO', errnoRet: 95}],
  };
  writeFileSync(join(profiles.path, 'deny.json'), JSON.stringify(deny));
  const child = await ChildNode.open(
    t,
    {root: lab.root, seccompRoot: profiles.path},
    {...lab.child, prefix: user.prefix},
  );
  t.is(child.mode, 'subid');
  for (const [securityContext, nnp] of [
    [{...runtimeDefault}, '0'],
    [{...runtimeDefault, allowPrivilegeEscalation: false, runAsUser: 1000}, '1'],
    [{...runtimeDefault, runAsUser: 1000}, '0'],
  ] as const) {
    const pod = await child.run({securityContext, command: ['sleep', 'infinity']});
    const status = await child.sh(
      pod.name,
      'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; grep Seccomp: /proc/1/status',
    );
    t.is(status, `NoNewPrivs:\t${nnp}\nSeccomp:\t2\nSeccomp:\t2`);
    await child.call('remove', pod.name);
  }
  const pod = await child.run({securityContext: localhost('deny.json')});
  const {stdout} = await child.call<{stdout: string}>(
    'exec',
    pod.name,
    ['perl', '-e', callsScript, ...callWords([['getppid'], ['getpid']])],
    {},
  );
  t.is(stdout, '95 ok');
  await child.call('remove', pod.name);
  await child.call('close');
  lab.spared.add(child.pid);
  await lab.untilNothingIsLeft('close');
  await child.kill();
});
