import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {statSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {hasCode, type PodInput, type PodNode} from '../../src/index.ts';
import type {ExecOptions, RunningPod} from '../../src/node/running-pod.ts';
import {hostTest, processes, type Requirement, until, withNode} from '../helpers/host-test.ts';
import {type Screen, screenOf} from '../helpers/screen.ts';

type Backend = 'node-pty' | 'script';
type SizeOptions = {readonly rows?: number; readonly columns?: number};

interface Scene {
  readonly backend: Backend;
  readonly node: PodNode;
  readonly pod: RunningPod;
  open(argv: readonly string[], options?: ExecOptions & SizeOptions): Promise<Screen>;
}

/** The same body on node-pty and on script(1), each with a node and a pod of its own. */
function onBoth(
  title: string,
  body: (t: ExecutionContext, scene: Scene) => Promise<void>,
  extra: {readonly needs?: readonly Requirement[]; readonly pod?: PodInput; readonly mode?: 'single'} = {},
): void {
  for (const backend of ['node-pty', 'script'] as const) {
    hostTest('root', 'userns', backend, 'stty', ...(extra.needs ?? [])).serial(`${backend}: ${title}`, async (t) => {
      const node = await withNode(t, extra.mode ? {mode: extra.mode} : {});
      const pod = await node.runPod(extra.pod ?? {command: ['sleep', 'infinity']});
      const open: Scene['open'] = (argv, options) => screenOf(t, () => pod.terminal(argv, {...options, backend}));
      await body(t, {backend, node, pod, open});
    });
  }
}

/** A number that no other process on this machine sleeps for. */
function uniqueSeconds(): string {
  return `${1_000_000 + process.pid}.${Math.floor(Math.random() * 1e9)}`;
}

function isSleeping(seconds: string): boolean {
  return processes().some(({commandLine}) => commandLine === `sleep ${seconds}`);
}

onBoth('a shell shows its prompt and what it writes', async (t, {open}) => {
  const screen = await open(['sh']);
  await screen.shows(/# $/);
  screen.enter('echo sum $((40 + 2))');
  await screen.shows(/\r\nsum 42\r\n# $/);
  t.is(screen.text, '# echo sum $((40 + 2))\r\nsum 42\r\n# ');
});

onBoth('what is typed before the prompt is there is echoed once and not lost', async (t, {open}) => {
  const screen = await open(['sh']);
  screen.enter('echo sum $((40 + 2))');
  await screen.shows(/sum 42\r\n# $/);
  t.is(screen.text.split('echo sum').length - 1, 1, screen.text);
});

onBoth('colours pass through untouched', async (t, {open}) => {
  const screen = await open([
    'sh',
    '-c',
    String.raw`printf '\033[31mred\033[0m \033[38;2;1;2;3mdeep\033[m'; ls --color=always -d /`,
  ]);
  t.is(await screen.ends(), 0);
  t.true(screen.text.startsWith('\u001b[31mred\u001b[0m \u001b[38;2;1;2;3mdeep\u001b[m'), JSON.stringify(screen.text));
  t.regex(screen.text, /\u001b\[01;34m\/\u001b\[0m\r\n$/);
});

onBoth('the program has the size that was asked for', async (t, {open}) => {
  const screen = await open(['stty', 'size'], {rows: 33, columns: 101});
  t.is(await screen.ends(), 0);
  t.is(screen.text, '33 101\r\n');
});

onBoth('a resize reaches the program as a signal and a new size, the last of several wins', async (t, {open}) => {
  const screen = await open(['sh', '-c', `trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done`]);
  await screen.shows(/ready\r\n/);
  screen.terminal.resize(50, 132);
  await screen.shows(/50 132\r\n/);
  for (const rows of [10, 20, 30, 40]) screen.terminal.resize(rows, 77);
  await screen.shows(/40 77\r\n$/);
  screen.type('\u0003');
  t.is(await screen.ends(), 130);
});

onBoth('Ctrl-C interrupts the program and not the shell', async (t, {open}) => {
  const seconds = uniqueSeconds();
  const screen = await open(['sh']);
  screen.enter(`sleep ${seconds}`);
  await until('the program sleeps', () => isSleeping(seconds), {seen: () => screen.text});
  screen.type('\u0003');
  await screen.shows(/# $/);
  t.false(isSleeping(seconds));
  screen.enter('echo alive $((40 + 2)) $?');
  await screen.shows(/alive 42 130\r\n/);
});

onBoth('Ctrl-C stops a flood', async (t, {open}) => {
  const screen = await open(['sh']);
  screen.enter('yes');
  await until('a megabyte came', () => screen.text.length > 1e6);
  screen.type('\u0003');
  await screen.shows(/# $/);
  screen.enter('echo alive $((40 + 2))');
  await screen.shows(/alive 42\r\n/);
  t.pass();
});

onBoth('Ctrl-D ends the shell with the code of its last command', async (t, {open}) => {
  const screen = await open(['sh']);
  screen.enter('false');
  await screen.shows(/# $/);
  screen.type('\u0004');
  t.is(await screen.ends(), 1);
});

onBoth('the exit code is the program’s, 128 + n for a signal', async (t, {open}) => {
  for (const [command, expected] of [
    ['true', 0],
    ['exit 7', 7],
    ['exit 255', 255],
    ['kill -9 $$', 137],
    ['kill -TERM $$', 143],
  ] as const) {
    const screen = await open(['sh', '-c', command]);
    t.is(await screen.ends(), expected, command);
  }
  const shell = await open(['sh']);
  shell.enter('exit 7');
  t.is(await shell.ends(), 7);
});

onBoth('the terminal is one of the pod’s own devpts', async (t, {open, pod}) => {
  const screen = await open([
    'sh',
    '-c',
    'tty; echo through >"$(tty)"; echo again >/dev/tty; test -t 0 && test -t 1 && test -t 2 && stat -c %d /dev/pts',
  ]);
  t.is(await screen.ends(), 0);
  const device = /^\/dev\/pts\/0\r\nthrough\r\nagain\r\n(\d+)\r\n$/.exec(screen.text)?.[1];
  t.truthy(device, JSON.stringify(screen.text));
  t.not(device, String(statSync('/dev/pts').dev));
  t.is((await pod.$`ls /dev/pts`).stdout, 'ptmx');
});

for (const [shell, needs] of [
  ['sh', []],
  ['bash', ['bash']],
] as const) {
  onBoth(
    `${shell} has job control and no warnings`,
    async (t, {open}) => {
      const seconds = uniqueSeconds();
      const screen = await open(shell === 'bash' ? ['bash', '--norc'] : ['sh']);
      await screen.shows(/[#$] $/);
      t.notRegex(screen.text, /job control|cannot set terminal|can't access tty/i);
      screen.enter(`sleep ${seconds}`);
      await until('the program sleeps', () => isSleeping(seconds), {seen: () => screen.text});
      screen.type('\u001a');
      await screen.shows(/Stopped[^\n]*\r?\n(.*\n)*.*[#$] $/);
      screen.enter('bg');
      await screen.shows(/sleep[^\n]*\n.*[#$] $/);
      screen.enter('kill %1; wait; echo rest $(jobs | wc -l)');
      await screen.shows(/rest \d+\r\n/);
      t.false(isSleeping(seconds));
    },
    {needs},
  );
}

onBoth('a program that is not there or may not run is explained', async (t, {pod, backend}) => {
  const missing = await t.throwsAsync(pod.terminal(['no-such-program'], {backend}));
  t.true(hasCode(missing, 'SUBROOT_COMMAND_NOT_FOUND'), String(missing));
  t.regex(String(missing?.message), /no-such-program/);
  const refused = await t.throwsAsync(pod.terminal(['/etc/hosts'], {backend}));
  t.true(hasCode(refused, 'SUBROOT_COMMAND_NOT_EXECUTABLE'), String(refused));
});

onBoth('64 KB typed at once arrive whole in a raw terminal', async (t, {open}) => {
  const pasted = Array.from({length: 65_536}, (_, index) => String.fromCharCode(1 + ((index * 7919) % 127))).join('');
  const screen = await open(['sh', '-c', 'stty raw -echo; echo ready; head -c 65536 | sha256sum']);
  await screen.shows(/ready/);
  screen.type(pasted);
  t.is(await screen.ends(), 0);
  t.true(
    screen.text.includes(createHash('sha256').update(pasted).digest('hex')),
    JSON.stringify(screen.text.slice(-300)),
  );
});

onBoth('a thousand lines typed at once arrive whole', async (t, {open}) => {
  const lines = Array.from({length: 1000}, (_, index) => `line ${index} ${'x'.repeat(index % 70)}`);
  const screen = await open(['sh', '-c', 'cat >/tmp/pasted; sha256sum </tmp/pasted']);
  // Nothing waits for the echo: the kernel drops or keeps back some of it when more is typed than is read.
  screen.type(`${lines.join('\r')}\r\u0004`);
  t.is(await screen.ends(), 0);
  t.true(
    screen.text.includes(
      createHash('sha256')
        .update(`${lines.join('\n')}\n`)
        .digest('hex'),
    ),
    JSON.stringify(screen.text.slice(-300)),
  );
});

onBoth('a megabyte of output arrives whole', async (t, {open}) => {
  const screen = await open(['seq', '1', '150000']);
  t.is(await screen.ends(), 0);
  t.is(screen.text.length, Array.from({length: 150_000}, (_, index) => `${index + 1}\r\n`).join('').length);
  t.true(screen.text.endsWith('\n149999\r\n150000\r\n'));
});

onBoth('Unicode goes in and comes out, never cut in the middle', async (t, {open}) => {
  const screen = await open(['sh']);
  screen.enter("echo 'żółć 漢字 🎉'");
  await screen.shows(/\r\nżółć 漢字 🎉\r\n/u);
  screen.enter(`i=0; while [ $i -lt 20000 ]; do echo '漢字🎉x'; i=$((i + 1)); done; echo all''here`);
  await screen.shows(/allhere\r\n# $/);
  t.false(screen.text.includes('\ufffd'));
  t.is(screen.text.split('漢字🎉x\r\n').length - 1, 20_000);
});

onBoth('another user of the pod owns its terminal', async (t, {open}) => {
  const screen = await open(['sh', '-c', 'id -u; pwd; echo $WHO; echo mine >/dev/tty; stat -c %u "$(tty)"'], {
    uid: 1000,
    gid: 1000,
    cwd: '/tmp',
    env: {WHO: 'ann'},
  });
  t.is(await screen.ends(), 0);
  t.is(screen.text, '1000\r\n/tmp\r\nann\r\nmine\r\n1000\r\n');
});

for (const uid of [0, 1000]) {
  onBoth(
    `a kill ends the program in the pod too, also one of uid ${uid} that ignores the hang-up`,
    async (t, {open}) => {
      for (const [signal, expected, ignoring] of [
        ['SIGHUP', 129, ''],
        ['SIGTERM', 143, ''],
        ['SIGKILL', 137, ''],
        ['SIGKILL', 137, "trap '' HUP TERM INT; "],
      ] as const) {
        const seconds = uniqueSeconds();
        const screen = await open(['sh', '-c', `${ignoring}exec sleep ${seconds}`], {uid});
        await until('the program sleeps', () => isSleeping(seconds));
        screen.terminal.kill(signal);
        t.is(await screen.ends(), expected, signal);
        await until(`it is gone after ${signal}`, () => !isSleeping(seconds));
      }
    },
  );
}

onBoth('a terminal that has ended takes no more', async (t, {open}) => {
  const screen = await open(['true']);
  t.is(await screen.ends(), 0);
  t.notThrows(() => screen.terminal.kill('SIGKILL'));
  t.notThrows(() => screen.terminal.write('late'));
  t.notThrows(() => screen.terminal.resize(10, 10));
});

onBoth(
  'a pod of mode single has terminals',
  async (t, {open}) => {
    const screen = await open(['sh', '-c', 'tty; stty size; echo yes >/dev/tty; exit 3'], {rows: 30, columns: 90});
    t.is(await screen.ends(), 3);
    t.is(screen.text, '/dev/pts/0\r\n30 90\r\nyes\r\n');
  },
  {mode: 'single'},
);

onBoth(
  'a pod in the node’s own user namespace has terminals',
  async (t, {open}) => {
    const screen = await open(['sh', '-c', 'tty; exit 3']);
    t.is(await screen.ends(), 3);
    t.is(screen.text, '/dev/pts/0\r\n');
  },
  {pod: {hostUsers: true, command: ['sleep', 'infinity']}},
);

onBoth(
  'when we are killed, so is the program in the terminal, also one that ignores the hang-up',
  async (t, {backend, node, pod}) => {
    const seconds = uniqueSeconds();
    const owner = fileURLToPath(new URL('../fixtures/terminal-owner.ts', import.meta.url));
    const program = ['sh', '-c', `trap '' HUP TERM INT; exec sleep ${seconds}`];
    const child = spawn(process.execPath, ['--import=tsx', owner, node.root, pod.name, backend, ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [pid] = (await once(child.stdout, 'data')) as [Buffer];
    await until('the program sleeps', () => isSleeping(seconds));
    child.kill('SIGKILL');
    await until('the program is gone', () => !isSleeping(seconds));
    await until('what ran the terminal is gone', () => !processes().some((each) => each.pid === Number(pid)));
    t.false(processes().some(({commandLine}) => commandLine.includes(seconds)));
  },
);
