import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {PodInput, PodNode, RunningPod} from '../../src/index.ts';
import {runCli} from '../helpers/child-node.ts';
import {fakeUser} from '../helpers/fake-user.ts';
import {hostTest, until, withNode} from '../helpers/host-test.ts';
import {sh, sharedFolder, sharing} from '../helpers/in-pod.ts';
import {makeLab} from '../helpers/lab.ts';

const it = hostTest('root', 'userns', 'perl');

/** Waits that no test waits for. */
const fast = {backOff: {firstMs: 20, mostMs: 100}, pollMs: 20};
const probe = (handler: object, more: object = {}) => ({
  ...handler,
  periodSeconds: 1,
  failureThreshold: 1,
  timeoutSeconds: 20,
  ...more,
});

/** An HTTP server in perl on a port: 200, and 500 while /tmp/bad is there; /moved leads to /, /away to another host. */
const server = (port: number) => String.raw`
use IO::Socket;
$| = 1;
my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1', LocalPort => ${port}, ReuseAddr => 1) or die;
while (my $c = $s->accept) {
  my ($line, $agent, $extra) = (scalar <$c>, '', '');
  while (my $h = <$c>) { last if $h =~ /^\r?\n/; $agent = $1 if $h =~ /^user-agent: (\S+)/i; $extra = $1 if $h =~ /^x-extra: (\S+)/i }
  print "$line$agent $extra\n" if $line =~ /\/asked/;
  my ($code, $more) = -e '/tmp/bad' ? ('500 bad', '') : ('200 ok', '');
  ($code, $more) = ('302 moved', "Location: /\r\n") if $line =~ m{/moved};
  ($code, $more) = ('302 moved', "Location: http://192.0.2.1/\r\n") if $line =~ m{/away};
  print $c "HTTP/1.1 $code\r\n${'$'}{more}Content-Length: 3\r\n\r\nhi\n";
  close $c;
}`;
const serving = (port: number) => ({
  command: ['perl', '-e', server(port)],
  // Until it listens: a machine may be busy.
  startupProbe: probe({tcpSocket: {port}}, {failureThreshold: 60}),
});

async function supervised(
  node: PodNode,
  input: PodInput,
): Promise<RunningPod & {supervision: NonNullable<RunningPod['supervision']>}> {
  const pod = await node.runPod(input, {supervise: fast});
  if (!pod.supervision) throw new Error('nobody looks after it');
  return pod as never;
}

for (const hostUsers of [false, true]) {
  const where = hostUsers ? 'in the node’s user namespace' : 'in a user namespace of its own';

  it.serial(`a container ${where} that fails its liveness probe by HTTP is started again`, async (t) => {
    const node = await withNode(t);
    const events: string[] = [];
    const pod = await node.runPod(
      {
        ...serving(8080),
        hostUsers,
        terminationGracePeriodSeconds: 1,
        ports: [{name: 'web', containerPort: 8080}],
        livenessProbe: probe({httpGet: {path: '/', port: 'web'}}),
        readinessProbe: probe({tcpSocket: {port: 8080}}),
      },
      {supervise: fast, onEvent: ({reason, message}) => events.push(`${reason}: ${message}`)},
    );
    const {supervision} = pod;
    const ready = await supervision?.untilReady();
    t.is(ready?.phase, 'Running');
    await sh(pod, 'touch /tmp/bad');
    const status = await supervision?.until(({containers}) => (containers[0]?.restartCount ?? 0) > 0);
    t.is(status?.containers[0]?.lastState?.exitCode, 137);
    t.true(
      events.includes('Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500'),
      events.join('\n'),
    );
    await supervision?.untilReady();
    t.like((await pod.containers())[0], {restarts: 1, state: 'RUNNING', name: 'main'});
  });
}

it.serial(
  'an HTTP probe says who asks, carries its headers, and follows redirects of the same host only',
  async (t) => {
    const node = await withNode(t);
    const http = (path: string) => ({httpGet: {path, port: 8080, httpHeaders: [{name: 'X-Extra', value: 'v'}]}});
    const pod = await supervised(node, {
      containers: [
        {name: 'a', ...serving(8080), livenessProbe: probe(http('/asked?q=1')), readinessProbe: probe(http('/moved'))},
        {name: 'b', readinessProbe: probe(http('/away'))},
      ],
    });
    await pod.supervision.untilReady();
    const [line, agent] = await until('the request is told', async () => {
      const records = await pod.logs({container: 'a'});
      return records.length > 1 ? records.map(({text}) => text.trim()) : undefined;
    });
    t.is(line, 'GET /asked?q=1 HTTP/1.1');
    t.is(agent, 'kube-probe/1.37 v');
  },
);

/** A server of both: TLS with the key beside it, and the health protocol over HTTP/2, where the service `good` serves. */
const secureServer = `
const {readFileSync} = require('node:fs');
const tls = {key: readFileSync('/shared/key'), cert: readFileSync('/shared/cert')};
require('node:https').createServer(tls, (_, response) => response.end('hi')).listen(8443, '127.0.0.1');
require('node:http2').createServer().on('stream', (stream) => {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  stream.on('end', () => {
    const service = Buffer.concat(chunks).subarray(7).toString();
    stream.respond({'content-type': 'application/grpc'}, {waitForTrailers: true});
    stream.on('wantTrailers', () => stream.sendTrailers({'grpc-status': '0'}));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, service === 'good' ? 1 : 2]));
  });
}).listen(9090, '127.0.0.1');`;

hostTest('root', 'userns', 'perl', 'openssl').serial(
  'HTTPS and gRPC probes: a certificate of nobody, and the health of a service',
  async (t) => {
    const node = await withNode(t);
    const folder = await sharedFolder(t);
    const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...curve, '-subj', '/CN=nobody', '-days', '1', ...files], {
      stdio: 'ignore',
    });
    chmodSync(join(folder, 'key'), 0o644);
    writeFileSync(join(folder, 'server.cjs'), secureServer);
    const pod = await supervised(node, {
      volumes: sharing(folder).volumes,
      containers: [
        {
          name: 'a',
          command: ['node', '/shared/server.cjs'],
          volumeMounts: sharing(folder).volumeMounts,
          startupProbe: probe({httpGet: {port: 8443, scheme: 'HTTPS'}}, {failureThreshold: 60}),
          readinessProbe: probe({grpc: {port: 9090, service: 'good'}}, {failureThreshold: 30}),
        },
        {name: 'b', readinessProbe: probe({grpc: {port: 9090, service: 'bad'}})},
      ],
    });
    const status = await pod.supervision.until(({containers: [a]}) => a?.ready === true);
    t.false(status.containers[1]?.ready);
  },
);

it.serial('a connection that is refused says so, and leaves no process', async (t) => {
  const node = await withNode(t);
  const events: string[] = [];
  const pod = await node.runPod(
    {readinessProbe: probe({tcpSocket: {port: 81}})},
    {supervise: fast, onEvent: ({message}) => events.push(message)},
  );
  await until('the refusal is told', () => events.find((each) => each.includes('Readiness')));
  t.deepEqual(
    [...new Set(events.filter((each) => each.includes('Readiness')))],
    ['Readiness probe failed: dial tcp 127.0.0.1:81: connect: Connection refused'],
  );
  await pod.remove();
});

it.serial('exec probes run in the container, and one that hangs is killed at its timeout', async (t) => {
  const node = await withNode(t);
  const pod = await supervised(node, {
    containers: [
      {
        name: 'a',
        readinessProbe: probe({
          exec: {command: ['sh', '-c', 'test "$(cat /proc/1/cmdline | tr "\\0" " ")" = "sleep infinity "']},
        }),
      },
      {
        name: 'b',
        livenessProbe: probe(
          {exec: {command: ['sleep', '100000']}},
          {timeoutSeconds: 1, terminationGracePeriodSeconds: 1},
        ),
      },
    ],
  });
  await pod.supervision.until(({containers: [a, b]}) => a?.ready === true && (b?.restartCount ?? 0) > 0);
  t.pass();
});

it.serial('what ends is started again: the log of the attempt before stays, and the sandbox is the same', async (t) => {
  const node = await withNode(t);
  const pod = await supervised(node, {
    restartPolicy: 'OnFailure',
    command: ['sh', '-c', 'echo x >> /dev/shm/tries; wc -l < /dev/shm/tries; test $(wc -l < /dev/shm/tries) -ge 4'],
  });
  t.is(await pod.wait(), 0);
  t.is(pod.supervision.status.phase, 'Succeeded');
  const [main] = await pod.containers();
  t.is(main?.restarts, 3);
  const {logPath} = (await node.runtime.containerStatus({containerId: main?.id ?? ''})).status;
  t.regex(readFileSync(logPath, 'utf8'), / F 4\n$/);
  t.regex(readFileSync(logPath.replace('3.log', '2.log'), 'utf8'), / F 3\n$/);
  t.false(existsSync(logPath.replace('3.log', '1.log')), 'older ones go');
  const {containers} = await node.runtime.listContainers({filter: {podSandboxId: pod.id}});
  t.deepEqual(
    containers.map(({metadata}) => metadata.attempt),
    [3, 2],
  );
});

it.serial(
  'hooks: postStart is over before runPod resolves, preStop runs before the stop signal, of a found pod too',
  async (t) => {
    const node = await withNode(t, {lifetime: 'detached'});
    const folder = await sharedFolder(t);
    const note = (word: string) => ({exec: {command: ['sh', '-c', `echo ${word} >> /shared/notes`]}});
    await node.runPod({
      name: 'hooked',
      ...sharing(folder),
      terminationGracePeriodSeconds: 20,
      command: ['sh', '-c', 'trap "echo term >> /shared/notes; exit 0" TERM; while :; do sleep 0.05; done'],
      lifecycle: {postStart: note('started'), preStop: note('stopping')},
    });
    const notes = () => readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n');
    t.deepEqual(notes(), ['started']);
    await node.pod('hooked').stop();
    t.deepEqual(notes(), ['started', 'stopping', 'term']);
  },
);

it.serial('a sidecar is there before the others, is started again, and goes after them', async (t) => {
  const node = await withNode(t);
  const folder = await sharedFolder(t);
  const {volumes, volumeMounts} = sharing(folder);
  const noting = (word: string) =>
    `trap "echo ${word} >> /shared/ends; exit 0" TERM; touch /dev/shm/${word}; while :; do sleep 0.05; done`;
  const pod = await supervised(node, {
    volumes,
    initContainers: [
      {
        ...{name: 'side', restartPolicy: 'Always', command: ['sh', '-c', noting('side')], volumeMounts},
        startupProbe: probe({exec: {command: ['test', '-e', '/dev/shm/side']}}, {failureThreshold: 60}),
      },
      {name: 'setup', command: ['sh', '-c', 'test -e /dev/shm/side && echo ok > /dev/shm/setup']},
    ],
    containers: [{name: 'app', command: ['sh', '-c', `cat /dev/shm/setup; ${noting('app')}`], volumeMounts}],
  });
  t.is((await pod.logs())[0]?.text, 'ok', 'the first container of the pod is app');
  const side = (await pod.containers()).find(({name}) => name === 'side');
  process.kill(side?.pid ?? 0, 'SIGKILL');
  await pod.supervision.until(({containers: [first]}) => first?.restartCount === 1 && first.started);
  await until('app handles TERM', () => sh(pod, 'test -e /dev/shm/app; echo $?').then((code) => code.trim() === '0'));
  await pod.stop({gracePeriod: 20});
  t.deepEqual(readFileSync(join(folder, 'ends'), 'utf8').trim().split('\n'), ['app', 'side']);
});

it.serial('a pod past its deadline is killed and says why', async (t) => {
  const node = await withNode(t);
  const pod = await supervised(node, {activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 1});
  const {status} = await pod.supervision.untilEnd();
  t.like(status, {phase: 'Failed', reason: 'DeadlineExceeded'});
});

it.serial('what another process stops is not started again', async (t) => {
  const node = await withNode(t, {lifetime: 'detached'});
  const pod = await supervised(node, {
    name: 'mine',
    command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'],
  });
  const {createNode} = await import('../../src/index.ts');
  await using other = await createNode({root: node.root, lifetime: 'detached'});
  await other.pod('mine').stop({gracePeriod: 20});
  t.is((await pod.supervision.untilEnd()).end, 'stopped');
  t.like((await pod.containers())[0], {restarts: 0, state: 'EXITED'});
});

it.serial('a pod whose supervision is released goes on alone; one that is waited for in vain says so', async (t) => {
  const node = await withNode(t);
  const pod = await supervised(node, {
    restartPolicy: 'Never',
    command: ['sh', '-c', 'until test -e /dev/shm/go; do sleep 0.02; done; exit 3'],
  });
  const never = pod.supervision.until(({phase}) => phase === 'Succeeded');
  const refused = t.throwsAsync(never, {code: 'SUBROOT_POD_ENDED', message: /pod .* has ended \(Failed\)/});
  await sh(pod, 'touch /dev/shm/go');
  await refused;
  const alone = await supervised(node, {command: ['sh', '-c', 'until test -e /dev/shm/go; do sleep 0.02; done']});
  await alone.supervision.release();
  await sh(alone, 'touch /dev/shm/go').catch(() => undefined);
  await until('it has ended', async () => (await alone.containers())[0]?.state === 'EXITED');
  t.is((await alone.containers())[0]?.restarts, 0);
});

// ── what a container is given, and what it leaves

for (const mode of ['host', 'single'] as const) {
  it.serial(`aliases, a whole name and the node’s DNS are in the files of a pod (mode ${mode})`, async (t) => {
    const node = await withNode(t, {mode});
    const pod = await node.runPod({
      name: 'named',
      subdomain: 'sub',
      setHostnameAsFQDN: true,
      hostAliases: [{ip: '10.1.2.3', hostnames: ['db', 'db.local']}],
      dnsPolicy: 'Default',
      dnsConfig: {options: [{name: 'ndots', value: '7'}]},
      containers: [{name: 'a'}, {name: 'b'}],
    });
    for (const container of ['a', 'b']) {
      const hosts = await sh(pod, 'cat /etc/hosts', {container});
      t.regex(hosts, /^127\.0\.0\.1\tnamed\.sub\.default\.svc\.cluster\.local\tnamed$/m);
      t.regex(hosts, /^10\.1\.2\.3\tdb\tdb\.local$/m);
    }
    t.is(await sh(pod, 'hostname'), 'named.sub.default.svc.cluster.local');
    t.is(await sh(pod, 'stat -c %u:%g:%a /etc/hosts'), '0:0:644');
    await sh(pod, 'echo 10.1.2.4 more >> /etc/hosts');
    t.regex(await sh(pod, 'cat /etc/resolv.conf'), /^options .*ndots:7$/m);
  });
}

it.serial(
  'the last words of a container are its message; without any, and when it failed, the end of its log',
  async (t) => {
    const node = await withNode(t);
    const says = (script: string, more: object = {}) => ({
      command: ['sh', '-c', script],
      terminationMessagePath: '/dev/termination-log',
      ...more,
    });
    const pod = await node.runPod(
      {
        restartPolicy: 'Never',
        containers: [
          {name: 'words', ...says('echo on the way; echo it is enough > /dev/termination-log; exit 1')},
          {
            name: 'user',
            ...says('printf by-anybody > /dev/termination-log', {securityContext: {runAsUser: 1000, runAsGroup: 1000}}),
          },
          {
            name: 'long',
            ...says('head -c 5000 /dev/zero | tr "\\0" x > /last/words; printf end >> /last/words', {
              terminationMessagePath: '/last/words',
            }),
          },
          {
            name: 'log',
            ...says('echo first; echo out; echo err >&2; exit 2', {terminationMessagePolicy: 'FallbackToLogsOnError'}),
          },
          {name: 'fine', ...says('echo out', {terminationMessagePolicy: 'FallbackToLogsOnError'})},
          {name: 'none', command: ['sh', '-c', 'echo unheard > /dev/termination-log']},
        ],
      },
      {supervise: fast},
    );
    await pod.wait();
    const ends = pod.supervision?.status.containers.map(({name, state}) => [
      name,
      state.kind === 'terminated' ? state.message : state.kind,
    ]);
    const [, , long] = ends ?? [];
    t.is(long?.[1]?.length, 4096);
    t.regex(long?.[1] ?? '', /^x+end$/);
    const log = ends?.[3]?.[1] ?? '';
    t.deepEqual(log.trim().split('\n').sort(), ['err', 'first', 'out']);
    t.deepEqual(
      ends?.filter((_, i) => i !== 2 && i !== 3),
      [
        ['words', 'it is enough\n'],
        ['user', 'by-anybody'],
        ['fine', ''],
        ['none', ''],
      ],
    );
  },
);

it.serial('a restarted container has a new file for its last words, and the one before keeps its own', async (t) => {
  const node = await withNode(t);
  const pod = await supervised(node, {
    restartPolicy: 'OnFailure',
    terminationMessagePath: '/dev/termination-log',
    command: [
      'sh',
      '-c',
      'n=$(cat /dev/shm/n 2>/dev/null || echo 0); echo $((n + 1)) > /dev/shm/n; printf "%s" "$n" > /dev/termination-log; test $n -ge 1',
    ],
  });
  await pod.wait();
  const [main] = pod.supervision.status.containers;
  t.like(main, {state: {kind: 'terminated', message: '1'}, lastState: {message: '0'}, restartCount: 1});
});

// ── modes

it.serial('hooks and probes reach a pod of mode single too', async (t) => {
  const node = await withNode(t, {mode: 'single'});
  const pod = await supervised(node, {
    ...serving(8080),
    terminationGracePeriodSeconds: 1,
    lifecycle: {postStart: {exec: {command: ['touch', '/tmp/started']}}},
    readinessProbe: probe({httpGet: {path: '/', port: 8080}}, {failureThreshold: 30}),
    livenessProbe: probe({exec: {command: ['test', '-e', '/tmp/started']}}),
  });
  await pod.supervision.untilReady();
  await sh(pod, 'rm /tmp/started');
  await pod.supervision.until(({containers: [main]}) => main?.restartCount === 1);
  t.pass();
});

hostTest('root', 'userns', 'perl', 'newuidmap', 'setpriv').serial(
  'an ordinary user looks after a pod of mode subid: hooks, an HTTP probe, and the end',
  async (t) => {
    const user = await fakeUser(t, {subuid: 'NAME:3000000000:131072\n'});
    const lab = await makeLab(t, {uid: user.uid});
    // The server ends when it was asked, which only the probe does.
    const once = server(8080).replace('close $c;', 'close $c; exit 0;');
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {name: 'theirs'},
      spec: {
        hostUsers: false,
        restartPolicy: 'Never',
        activeDeadlineSeconds: 60,
        terminationGracePeriodSeconds: 1,
        hostAliases: [{ip: '10.0.0.1', hostnames: ['db']}],
        containers: [
          {
            name: 'main',
            image: 'host',
            command: [
              'sh',
              '-c',
              'until test -e /dev/shm/hooked; do sleep 0.02; done; grep db /etc/hosts; exec "$@"',
              'sh',
              'perl',
              '-e',
              once,
            ],
            lifecycle: {postStart: {exec: {command: ['touch', '/dev/shm/hooked']}}},
            startupProbe: probe({httpGet: {path: '/', port: 8080}}, {failureThreshold: 50}),
          },
        ],
      },
    };
    const {exitCode, stdout, stderr} = await runCli(['--root', lab.root, 'run', '-', '--wait', '--rm'], {
      ...lab.child,
      prefix: user.prefix,
      input: JSON.stringify(manifest),
    });
    t.is(exitCode, 0, stderr);
    t.regex(stderr, /mode subid/);
    t.is(stdout, '10.0.0.1\tdb\n');
  },
);
