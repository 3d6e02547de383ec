import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import type {PodInput, PodNode, RunningPod} from '../../src/index.ts';
import {openTerminal} from '../../src/pty/terminal.ts';
import {hostTest, processes, until, withNode} from '../helpers/host-test.ts';
import {type Screen, screenOf} from '../helpers/screen.ts';

const cli = [
  process.execPath,
  `--import=${import.meta.resolve('tsx')}`,
  fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)),
];

interface Scene {
  readonly node: PodNode;
  readonly pod: RunningPod;
  /** Types a command line of subroot into a new terminal. */
  subroot(...words: readonly string[]): Promise<Screen>;
}

/** The same body with the user's terminal made by node-pty and by script(1). */
function onBoth(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>, pod: PodInput = {}): void {
  for (const backend of ['node-pty', 'script'] as const) {
    hostTest('root', 'userns', backend, 'stty').serial(`${backend}: ${title}`, async (t) => {
      const node = await withNode(t);
      const running = await node.runPod({name: 'web', ...pod});
      const subroot = (...words: readonly string[]) =>
        screenOf(t, () => openTerminal([...cli, '--root', node.root, ...words], {rows: 30, columns: 90, backend}));
      await body(t, {node, pod: running, subroot});
    });
  }
}

const shellInTerminal: PodInput = {tty: true, stdin: true, command: ['sh']};

onBoth('subroot exec -it: a shell, its size, Ctrl-C, a resize, its exit code', async (t, {subroot}) => {
  const screen = await subroot('exec', '-it', 'web', '--', 'sh');
  await screen.shows(/# $/);
  screen.enter('id -u; tty; stty size; echo $TERM');
  await screen.shows(/\r\n0\r\n\/dev\/pts\/0\r\n30 90\r\nxterm-256color\r\n# $/);
  const command = `sleep ${2_000_000 + process.pid}`;
  screen.enter(command);
  await until('the program sleeps', () => processes().some(({commandLine}) => commandLine === command));
  screen.type('\u0003');
  await screen.shows(/# $/);
  screen.terminal.resize(50, 132);
  await until('the new size is in the pod', async () => {
    screen.enter('stty size');
    return /50 132/.test((await screen.shows(/(\d+ \d+)\r\n# $/))[1] ?? '');
  });
  screen.enter('exit 7');
  t.is(await screen.ends(), 7);
});

onBoth('subroot exec -it of a program that is not there says so and ends with 127', async (t, {subroot}) => {
  const screen = await subroot('exec', '-it', 'web', '--', 'no-such-program');
  t.is(await screen.ends(), 127);
  t.regex(screen.text, /no-such-program.*SUBROOT_COMMAND_NOT_FOUND/s);
});

onBoth('subroot exec -it gives the terminal back as it was', async (t, {node, subroot}) => {
  // A shell of ours around it sees the terminal before and after.
  const line = [...cli, '--root', node.root, 'exec', '-it', 'web', '--', 'true'].map((word) => `'${word}'`).join(' ');
  const around = await screenOf(t, () =>
    openTerminal(
      [
        'sh',
        '-c',
        `stty -g; ${line}; stty -g; ${line.replace("'true'", "'no-such-program'")} 2>/dev/null; stty -g; ${line.replace("'web' '--' 'true'", "'--timeout' '1' 'web' '--' 'sleep' '100'")} 2>/dev/null; stty -g`,
      ],
      {rows: 30, columns: 90},
    ),
  );
  t.is(await around.ends(), 0);
  const [before, ...after] = around.text.split('\r\n').filter((each) => /^[0-9a-f:]{20,}$/.test(each));
  t.deepEqual(after, [before, before, before], around.text);
  t.truthy(subroot);
});

onBoth('when the terminal is closed under subroot exec -it, nothing stays in the pod', async (t, {subroot}) => {
  const screen = await subroot('exec', '-it', 'web', '--', 'sh');
  await screen.shows(/# $/);
  const command = `sleep ${3_000_000 + process.pid}`;
  screen.enter(command);
  const isSleeping = () => processes().some(({commandLine}) => commandLine === command);
  await until('the program sleeps', isSleeping);
  screen.terminal.kill('SIGKILL');
  await screen.ends();
  await until('it is gone', () => !isSleeping());
  t.pass();
});

onBoth(
  'subroot attach -it: typed and seen; Ctrl-P Ctrl-Q lets go; a second attach goes on',
  async (t, {pod, subroot}) => {
    const first = await subroot('attach', '-it', 'web');
    await first.shows(/lets go/);
    first.enter('echo sum $((40 + 2)); stty size');
    await first.shows(/\r\nsum 42\r\n30 90\r\n/);
    first.terminal.resize(40, 100);
    await until('the new size is in the container', async () => {
      first.enter('stty size');
      return /40 100/.test((await first.shows(/(\d+ \d+)\r\n# $/))[1] ?? '');
    });
    first.type('\u0010\u0011');
    t.is(await first.ends(), 0);
    t.is((await pod.containers())[0]?.state, 'RUNNING');

    const second = await subroot('attach', '-it', 'web');
    await second.shows(/lets go/);
    second.enter('echo again $((40 + 3))');
    await second.shows(/\r\nagain 43\r\n/);
    t.notRegex(second.text, /sum 42/);
    second.enter('exit 9');
    t.is(await second.ends(), 9);
  },
  shellInTerminal,
);
