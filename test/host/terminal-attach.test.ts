import {closeSync, openSync} from 'node:fs';
import {connect} from 'node:net';
import type {ExecutionContext} from 'ava';
import {type ContainerInput, hasCode, type PodInput, type RunningPod} from '../../src/index.ts';
import type {AttachConnection} from '../../src/runtime/attach-client.ts';
import {hostTest, processes, until, withNode} from '../helpers/host-test.ts';

const it = hostTest('root', 'userns');

/** A connection, and what came over it. */
class Client {
  readonly connection: AttachConnection & {tty: boolean; stdin: boolean};
  readonly #seen: {stdout: Buffer[]; stderr: Buffer[]};

  private constructor(
    connection: AttachConnection & {tty: boolean; stdin: boolean},
    seen: {stdout: Buffer[]; stderr: Buffer[]},
  ) {
    this.connection = connection;
    this.#seen = seen;
  }

  static async open(t: ExecutionContext, pod: RunningPod): Promise<Client> {
    const seen = {stdout: [] as Buffer[], stderr: [] as Buffer[]};
    const connection = await pod.attach({
      onStdout: (bytes) => seen.stdout.push(Buffer.from(bytes)),
      onStderr: (bytes) => seen.stderr.push(Buffer.from(bytes)),
    });
    t.teardown(() => connection.close());
    return new Client(connection, seen);
  }

  get stdout(): string {
    return Buffer.concat(this.#seen.stdout).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#seen.stderr).toString();
  }

  type(text: string): void {
    this.connection.write(Buffer.from(text));
  }

  async shows(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    await until(`${stream} shows ${pattern}`, () => pattern.test(this[stream]), {
      seen: () => JSON.stringify(this[stream].slice(-2000)),
    });
  }
}

const shellInTerminal: PodInput = {tty: true, stdin: true, command: ['sh']};

for (const lifetime of ['bound', 'detached'] as const) {
  it.serial(
    `attached to a ${lifetime} shell in a terminal one types, sees, resizes, lets go and comes back`,
    async (t) => {
      const node = await withNode(t, {lifetime});
      const pod = await node.runPod(shellInTerminal);
      const first = await Client.open(t, pod);
      t.true(first.connection.tty);
      t.true(first.connection.stdin);
      first.type('echo sum $((40 + 2)); tty\r');
      await first.shows(/sum 42\r\n\/dev\/pts\/0\r\n/);
      first.connection.resize(50, 132);
      first.type('stty size\r');
      await first.shows(/50 132\r\n/);
      first.connection.close();
      t.is(await first.connection.ended, undefined, 'letting go is no end of the program');

      const second = await Client.open(t, pod);
      second.type('echo again $((40 + 3)) $(stty size)\r');
      await second.shows(/again 43 50 132\r\n/);
      t.notRegex(second.stdout, /sum 42/, 'what was before is in the log, not here');
      second.type('exit 7\r');
      t.is(await second.connection.ended, 7);
      t.is(await pod.wait(), 7);
      const log = (await pod.logs()).map(({text}) => text).join('\n');
      t.regex(log, /sum 42/);
      t.regex(log, /again 43/);
    },
  );
}

it.serial('Ctrl-C and Ctrl-D over an attached terminal are the shell’s', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod(shellInTerminal);
  const client = await Client.open(t, pod);
  const command = `sleep ${1_000_000 + process.pid}`;
  client.type(`${command}\r`);
  await until('the program sleeps', () => processes().some(({commandLine}) => commandLine === command));
  client.type('\u0003');
  client.type('echo alive $((40 + 2)) $?\r');
  await client.shows(/alive 42 130\r\n/);
  client.type('\u0004');
  t.is(await client.connection.ended, 0);
});

it.serial('two clients see the same and both may type', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod(shellInTerminal);
  const one = await Client.open(t, pod);
  const two = await Client.open(t, pod);
  one.type('echo from-one $((1 + 1))\r');
  await one.shows(/from-one 2\r\n/);
  await two.shows(/from-one 2\r\n/);
  two.type('echo from-two $((2 + 2))\r');
  await one.shows(/from-two 4\r\n/);
  await two.shows(/from-two 4\r\n/);
  one.connection.close();
  two.type('exit 3\r');
  t.is(await two.connection.ended, 3);
});

it.serial('a client that does not read is let go and stops neither the program nor the others', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod(shellInTerminal);
  const {folder} = node.runtime.inventory.attachFolder(await pod.containerId());
  const fd = openSync(folder, 'r');
  const lazy = connect(`/proc/self/fd/${fd}/attach.sock`);
  lazy.pause();
  await new Promise((resolve) => lazy.once('connect', resolve));
  closeSync(fd);
  t.teardown(() => lazy.destroy());
  const eager = await Client.open(t, pod);
  eager.type('seq 1 800000; echo done $((40 + 2))\r');
  await eager.shows(/\r\n799999\r\n800000\r\ndone 42\r\n/);
  let received = 0;
  lazy.on('data', (bytes) => {
    received += bytes.length;
  });
  lazy.resume();
  await until('the client that did not read was let go', () => lazy.closed, {seen: () => `${received} bytes`});
  t.true(received < eager.stdout.length, String(received));
});

it.serial('all of the output comes before the end', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({stdin: true, command: ['sh', '-c', 'read go; seq 1 50000; exit 6']});
  const client = await Client.open(t, pod);
  client.type('go\n');
  t.is(await client.connection.ended, 6);
  t.is(client.stdout, Array.from({length: 50_000}, (_, index) => `${index + 1}\n`).join(''));
});

it.serial('input ends with the first client that spoke when stdinOnce says so, else it stays open', async (t) => {
  const node = await withNode(t);
  const container: ContainerInput & {stdinOnce: boolean} = {
    stdin: true,
    stdinOnce: true,
    command: ['sh', '-c', 'cat; exit 5'],
  };
  const once = await node.runPod({containers: [container]});
  const first = await Client.open(t, once);
  first.type('only\n');
  await first.shows(/only\n/);
  first.connection.close();
  t.is(await once.wait(), 5);

  const open = await node.runPod({stdin: true, command: ['cat']});
  const one = await Client.open(t, open);
  one.type('one\n');
  await one.shows(/one\n/);
  one.connection.close();
  const two = await Client.open(t, open);
  two.type('two\n');
  await two.shows(/two\n/);
  two.connection.endStdin();
  t.is(await two.connection.ended, 0);
});

it.serial(
  'without a terminal standard output and error come apart, and the end of input is the program’s',
  async (t) => {
    const node = await withNode(t);
    const pod = await node.runPod({
      containers: [{stdin: true, command: ['sh', '-c', 'echo out; echo err >&2; cat; echo read-all; exit 4']}],
    });
    const client = await Client.open(t, pod);
    t.false(client.connection.tty);
    client.type('through\n');
    await client.shows(/through\n/);
    client.connection.endStdin();
    t.is(await client.connection.ended, 4);
    t.regex(client.stdout, /through\nread-all\n$/);
    t.notRegex(client.stdout, /err/);
    t.notRegex(client.stderr, /out/);
    const records = await pod.logs();
    t.deepEqual(
      records.filter(({stream}) => stream === 'stderr').map(({text}) => text),
      ['err'],
    );
  },
);

it.serial('attaching to what has ended is refused with its state', async (t) => {
  const node = await withNode(t);
  const pod = await node.runPod({stdin: true, tty: true, command: ['true']});
  await pod.wait();
  const error = await t.throwsAsync(pod.attach({onStdout: () => {}, onStderr: () => {}}));
  t.true(hasCode(error, 'SUBROOT_WRONG_STATE'), String(error));
  t.regex(String(error), /EXITED.*RUNNING/);
});
