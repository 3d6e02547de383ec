import {createServer, type Socket} from 'node:net';
import {join} from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {dir} from 'tmp-promise';
import {SubrootError} from '../../src/index.ts';
import {AttachConnection, encodeFrame, FrameReader, frameType} from '../../src/runtime/attach-client.ts';

const frames = fc.array(fc.record({type: fc.integer({min: 0, max: 255}), bytes: fc.uint8Array({maxLength: 300})}));

test('frames come out as they went in, however the bytes are cut', (t) => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({min: 1, max: 50}), {minLength: 1}), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(({type, bytes: payload}) => encodeFrame(type, payload)));
      const reader = new FrameReader();
      const received: {type: number; bytes: number[]}[] = [];
      for (let at = 0, index = 0; at < bytes.length; index++) {
        const size = cuts[index % cuts.length] ?? 1;
        for (const frame of reader.push(bytes.subarray(at, at + size)))
          received.push({type: frame.type, bytes: [...frame.bytes]});
        at += size;
      }
      t.deepEqual(
        received,
        sent.map(({type, bytes: payload}) => ({type, bytes: [...payload]})),
      );
    }),
  );
});

test('a frame that is not whole is held back', (t) => {
  const reader = new FrameReader();
  const frame = encodeFrame(1, Buffer.from('hello'));
  t.deepEqual([...reader.push(frame.subarray(0, 9))], []);
  t.deepEqual(
    [...reader.push(frame.subarray(9))].map(({bytes}) => bytes.toString()),
    ['hello'],
  );
});

/** A supervisor's socket: what it gets, and its end of the connection. */
async function listen(
  folder: string,
): Promise<{frames: {type: number; bytes: Buffer}[]; client: Promise<Socket>; close: () => void}> {
  const frames: {type: number; bytes: Buffer}[] = [];
  const reader = new FrameReader();
  let connected: (socket: Socket) => void = () => {};
  const client = new Promise<Socket>((resolve) => {
    connected = resolve;
  });
  const server = createServer((socket) => {
    socket.on('data', (chunk) => frames.push(...reader.push(chunk)));
    connected(socket);
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'attach.sock'), resolve));
  return {frames, client, close: () => server.close()};
}

test('a long input is cut into frames that a supervisor takes, in order', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const supervisor = await listen(folder.path);
  const connection = await AttachConnection.open(folder.path, {});
  const input = Buffer.from(Array.from({length: 3_000_001}, (_, index) => index % 251));
  connection.write(input);
  connection.write(new Uint8Array());
  connection.resize(50, 132);
  connection.endStdin();
  const socket = await supervisor.client;
  await new Promise<void>((resolve) => {
    const look = () => (supervisor.frames.some(({type}) => type === frameType.endOfStdin) ? resolve() : undefined);
    socket.on('data', look);
    look();
  });
  const stdin = supervisor.frames.filter(({type}) => type === frameType.stdin);
  t.true(stdin.every(({bytes}) => bytes.length > 0 && bytes.length <= 1 << 20));
  t.true(Buffer.concat(stdin.map(({bytes}) => bytes)).equals(input));
  const rest = supervisor.frames
    .filter(({type}) => type !== frameType.stdin)
    .map(({type, bytes}) => [type, [...bytes]]);
  t.deepEqual(rest, [
    [frameType.resize, [0, 50, 0, 132]],
    [frameType.endOfStdin, []],
  ]);
  connection.close();
  supervisor.close();
});

test('output goes to its handlers, unknown frames to nobody, and the exit code comes last', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const supervisor = await listen(folder.path);
  const said: string[] = [];
  const connection = await AttachConnection.open(folder.path, {
    onStdout: (bytes) => said.push(`out ${Buffer.from(bytes)}`),
    onStderr: (bytes) => said.push(`err ${Buffer.from(bytes)}`),
  });
  const socket = await supervisor.client;
  socket.write(encodeFrame(frameType.stdout, Buffer.from('one')));
  socket.write(encodeFrame(99, Buffer.from('from the future')));
  socket.write(encodeFrame(frameType.stderr, Buffer.from('two')));
  socket.end(encodeFrame(frameType.exit, Buffer.from([137])));
  t.is(await connection.ended, 137);
  t.deepEqual(said, ['out one', 'err two']);
  supervisor.close();
});

test('a connection that is cut has no exit code, and where nobody listens the folder is named', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const supervisor = await listen(folder.path);
  const connection = await AttachConnection.open(folder.path, {});
  (await supervisor.client).destroy();
  t.is(await connection.ended, undefined);
  supervisor.close();
  await t.throwsAsync(AttachConnection.open(folder.path, {}), {
    instanceOf: SubrootError,
    code: 'SUBROOT_ATTACH_FAILED',
    message: new RegExp(`cannot attach to the container in ${folder.path} \\((ENOENT|ECONNREFUSED)\\)`),
  });
});
