import {chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {openTarget} from '../../src/check/targets/open-target.ts';
import {hostTest} from '../helpers/host-test.ts';

/**
 * A docker that notes its words, and whose containers are plain programs of this machine: what is tested is how it is asked and what is made of
 * its answers. A real daemon needs more than a test machine gives.
 */
function fakeDocker(t: ExecutionContext, security: string): () => string[] {
  const folder = mkdtempSync(join(tmpdir(), 'subroot-docker-'));
  writeFileSync(
    join(folder, 'docker'),
    `#!/bin/sh
printf '%s\\n' "$*" >> ${folder}/words
case "$1 $2" in
  'info '*) echo '20.10.24 ${security}' ;;
  'import '*) echo sha256:1 ;;
  'image inspect') [ "$5" = there ] && echo sha256:2 || { echo "No such image: $5" >&2; exit 1; } ;;
  'image rm') ;;
  'run '*) sleep 1000 >/dev/null 2>&1 & echo $! > ${folder}/pid; echo 0123 ;;
  'inspect '*) cat ${folder}/pid ;;
  'exec '*) shift 3; exec "$@" ;;
  'rm '*) kill "$(cat ${folder}/pid)" ;;
  *) echo "docker: what is $*" >&2; exit 1 ;;
esac
`,
  );
  chmodSync(join(folder, 'docker'), 0o755);
  const {PATH} = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  t.teardown(() => {
    process.env.PATH = PATH;
    rmSync(folder, {recursive: true, force: true});
  });
  return () => readFileSync(join(folder, 'words'), 'utf8').trim().split('\n');
}

const request = {name: 'a', userNamespace: true, capabilities: 'default'} as const;

hostTest('root').serial(
  'docker is asked for a container as its users ask, and one without a user namespace is noted',
  async (t) => {
    const words = fakeDocker(t, '["name=seccomp,profile=default"]');
    const target = await openTarget('docker');
    t.is(target.description.version, 'docker 20.10.24');
    t.false(target.has('same-range'));
    t.false(target.has('stdio'));
    const pod = await target.start({
      ...request,
      mounts: [{hostPath: '/tmp', containerPath: '/shared', readonly: true}],
    });
    t.like(await pod.exec(['cat'], {input: 'hello'}), {exitCode: 0, stdout: 'hello'});
    await pod.remove();
    await target.start({...request, userNamespace: false, capabilities: 'all'});
    await target.close();
    t.deepEqual(
      target.description.notes.map((note) => note.slice(0, 30)),
      ['the daemon runs without userns', 'asked for a container as the d'],
    );
    const runs = words().filter((line) => line.startsWith('run '));
    t.is(runs.length, 2);
    t.regex(
      runs[0] ?? '',
      /^run --detach --name subroot-check-\d+-\d+-1 .*--interactive .*--volume \/tmp:\/shared:ro subroot-check:\d+ 2147483647$/,
    );
    t.notRegex(runs[0] ?? '', /--userns|--cap-add/);
    t.regex(runs[1] ?? '', /--userns host --cap-add ALL/);
    t.is(words().filter((line) => line.startsWith('rm --force')).length, 2);
    t.regex(words().at(-1) ?? '', /^image rm subroot-check:\d+$/);
  },
);

hostTest('root').serial(
  'docker with userns-remap says that all containers have one range; an image must be there',
  async (t) => {
    const words = fakeDocker(t, '["name=userns"]');
    const target = await openTarget('docker', {image: 'missing'});
    t.regex(target.description.notes[0] ?? '', /one and the same range/);
    await t.throwsAsync(target.start(request), {message: /it has no image missing/});
    await target.close();
    const other = await openTarget('docker', {image: 'there'});
    await (await other.start(request)).remove();
    await other.close();
    t.regex(words().find((line) => line.startsWith('run ')) ?? '', / sha256:2 2147483647$/);
    t.false(words().some((line) => line.startsWith('image rm')));
  },
);

hostTest('root').serial(
  'a docker whose daemon does not answer is told apart from one that is not installed',
  async (t) => {
    fakeDocker(t, '');
    await t.throwsAsync(openTarget('docker'), {message: /no daemon answers/});
    process.env.PATH = '/nowhere';
    const error = await t.throwsAsync(openTarget('docker'));
    t.regex(error?.message ?? '', /docker is not in PATH|no daemon answers/);
  },
);
