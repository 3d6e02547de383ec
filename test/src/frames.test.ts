import test from 'ava';
import fc from 'fast-check';
import {encodeFrame, FrameReader} from '../../src/runtime/attach-client.ts';

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
