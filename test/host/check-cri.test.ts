import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {allChecks} from '../../src/check/checks.ts';
import {conformanceChecks} from '../../src/check/conformance-checks.ts';
import {runChecks} from '../../src/check/engine.ts';
import {openTarget} from '../../src/check/targets/open-target.ts';
import {hostTest} from '../helpers/host-test.ts';
import {mapTextOf} from '../helpers/in-pod.ts';
import {startContainerd} from '../helpers/own-containerd.ts';

hostTest('root', 'userns', 'containerd').serial(
  'a CRI runtime that ignores user namespaces is found out: identity fails closed, and what it must refuse it does',
  async (t) => {
    const {socket, stop} = await startContainerd();
    t.teardown(stop);
    const target = await openTarget(`cri:unix://${socket}`);
    try {
      t.regex(target.description.version, /^containerd \d/);
      const ignores = !target.has('idmapped-mounts');
      const pod = await target.start({name: 'asked', userNamespace: true, capabilities: 'default'});
      const [, hostId] = mapTextOf(pod.init.pid).split(' ');
      t.is(pod.declared.userNamespace, true);
      t.deepEqual(await pod.exec(['sh', '-c', 'id -u; echo said >&2; exit 7']), {
        exitCode: 7,
        stdout: '0\n',
        stderr: 'said\n',
      });
      await t.throwsAsync(pod.exec(['cat'], {input: 'x'}), {message: /ExecSync has no standard input/});
      await pod.remove();
      await pod.remove();

      const names = [
        'declared-equals-observed',
        'refuses-two-mappings',
        'refuses-container-mode',
        'refuses-overlapping-maps',
      ];
      const checks = [
        ...conformanceChecks.filter(({id}) => names.includes(id)),
        ...allChecks.filter(({id}) => ['userns-not-initial', 'uid-map-not-identity'].includes(id)),
      ];
      const folder = mkdtempSync(join(tmpdir(), 'subroot-checks-'));
      t.teardown(() => rmSync(folder, {recursive: true, force: true}));
      const report = await runChecks(target, {checks, folder});
      const outcomes = Object.fromEntries(report.results.map(({id, outcome}) => [id, outcome]));
      t.is(outcomes['refuses-overlapping-maps'], 'not-possible');
      if (ignores) {
        // containerd up to 1.7 with CRI of that age.
        t.is(hostId, '0');
        for (const note of [/does not say that it supports/, /made none without a word/])
          t.true(
            report.target.notes.some((each) => note.test(each)),
            String(note),
          );
        t.deepEqual(outcomes, {
          'declared-equals-observed': 'broken',
          'refuses-two-mappings': 'broken',
          'refuses-container-mode': 'broken',
          'refuses-overlapping-maps': 'not-possible',
          'userns-not-initial': 'broken',
          'uid-map-not-identity': 'broken',
        });
      } else {
        t.not(hostId, '0');
        t.deepEqual([...new Set(Object.values(outcomes))].sort(), ['not-possible', 'works']);
      }
    } finally {
      await target.close();
    }
    const list = (what: string) =>
      execFileSync('ctr', ['--address', socket, '--namespace', 'k8s.io', what, 'ls', '-q'], {encoding: 'utf8'});
    t.is(list('containers'), '');
    t.notRegex(list('images'), /subroot\.local\/check/);
  },
);

hostTest('root')('a socket that is not there, and one that speaks no CRI, are told apart', async (t) => {
  await t.throwsAsync(openTarget('cri:unix:///nowhere/c.sock'), {message: /there is no socket \/nowhere\/c\.sock/});
  await t.throwsAsync(openTarget('cri:tcp://127.0.0.1:1'), {message: /the address of a socket is unix:/});
});

hostTest('root', 'userns', 'runc', 'crun').serial(
  'OCI runtimes refuse what they must, and leave nothing after a kill',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'subroot-checks-'));
    t.teardown(() => rmSync(folder, {recursive: true, force: true}));
    for (const word of ['oci:runc', 'oci:crun']) {
      const target = await openTarget(word);
      try {
        const report = await runChecks(target, {checks: conformanceChecks, folder});
        const outcomes = new Map(report.results.map(({id, outcome}) => [id, outcome]));
        t.is(outcomes.get('declared-equals-observed'), 'works');
        t.is(outcomes.get('nothing-left-after-kill'), 'works');
        for (const id of ['refuses-overlapping-maps', 'refuses-empty-extent', 'refuses-last-id'])
          t.is(outcomes.get(id), 'works', `${word}: ${id}`);
        t.is(outcomes.get('refuses-container-mode'), 'not-possible');
        t.is(report.results.length, conformanceChecks.length);
      } finally {
        await target.close();
      }
    }
  },
);
