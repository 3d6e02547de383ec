import type {ExecutionContext} from 'ava';
import {openTerminal} from '../../src/pty/terminal.ts';
import {hostTest, until} from '../helpers/host-test.ts';
import {type Screen, screenOf} from '../helpers/screen.ts';
import {isSleeping, manifest, marker, type PodScene, shell, withScene} from './pod-scene.ts';

// What only a person at a terminal sees; test/host holds exec -it and attach -it on both kinds of terminal.

const it = hostTest('root', 'userns', 'perl', 'node-pty');

function onTerminal(t: ExecutionContext, scene: PodScene, ...words: readonly string[]): Promise<Screen> {
  const options = {rows: 40, columns: 110, backend: 'node-pty'} as const;
  return screenOf(t, () => openTerminal([...scene.program, '--root', scene.root, ...words], options));
}

it('exec -it: Ctrl-C reaches the program, and --timeout gives the terminal back', async (t) => {
  const scene = await withScene(t);
  await scene.run(manifest('web', [shell('main', 'exec sleep infinity')]));
  const shellScreen = await onTerminal(t, scene, 'exec', '-it', 'web', 'sh');
  await shellScreen.shows(/# $/);
  const mark = marker();
  shellScreen.enter(`sleep ${mark}`);
  await until('it sleeps', () => isSleeping(mark));
  shellScreen.type('\x03');
  await shellScreen.shows(/# $/);
  shellScreen.enter('exit 5');
  t.is(await shellScreen.ends(), 5);

  const line = [...scene.program, '--root', scene.root, 'exec', '-it', '--timeout', '0.5', 'web', 'cat'];
  const around = await screenOf(t, () =>
    openTerminal(['sh', '-c', 'stty -g; "$@"; echo "code $?"; stty -g', 'sh', ...line], {
      rows: 40,
      columns: 110,
      backend: 'node-pty',
    }),
  );
  await around.ends();
  t.regex(around.text, /code 124\r\n/);
  const [before, after] = around.text.split('\r\n').filter((each) => /^[0-9a-f:]{20,}$/.test(each));
  t.is(after, before);
});

it('stop says what it waits for, and exec which container is meant', async (t) => {
  const scene = await withScene(t);
  await scene.run(manifest('pair', [shell('one', 'exec sleep infinity'), shell('two', 'exec sleep infinity')]));
  const exec = await onTerminal(t, scene, 'exec', 'pair', 'true');
  t.is(await exec.ends(), 0);
  t.regex(exec.text, /subroot: container one is meant; -c names another of pod pair: two/);
  const stop = await onTerminal(t, scene, 'stop', '-t', '2', 'pair');
  await stop.shows(/subroot: waiting up to 2 s for pod pair to end by itself/);
  await stop.shows(/pod pair.* stopped/);
  t.is(await stop.ends(), 0);
});

it('colour comes on a terminal, and a name with control bytes is never raw', async (t) => {
  const scene = await withScene(t);
  await scene.run(manifest('web', [shell('main', 'exec sleep infinity')]));
  const pods = await onTerminal(t, scene, 'pods');
  t.is(await pods.ends(), 0);
  t.regex(pods.text, /\x1b\[1mPOD ID/);
  const odd = await onTerminal(t, scene, 'logs', 'we\x1b[31mb');
  t.is(await odd.ends(), 1);
  t.regex(odd.text, /no pod or container we\\x1b\[31mb/);
});
