import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {dir} from 'tmp-promise';
import {parseLogLine, readLog} from '../../src/runtime/log-reader.ts';

const time = '2026-11-22T07:00:00.000000001Z';

test('a line has a time, a stream, a tag and its text as it is', (t) => {
  for (const [line, expected] of [
    [`${time} stdout F hello`, {stream: 'stdout', partial: false, text: 'hello'}],
    [`${time} stderr P half`, {stream: 'stderr', partial: true, text: 'half'}],
    [`${time} stdout F `, {stream: 'stdout', partial: false, text: ''}],
    [`${time} stdout F  two  spaces `, {stream: 'stdout', partial: false, text: ' two  spaces '}],
    [`${time} stdout F:later tagged`, {stream: 'stdout', partial: false, text: 'tagged'}],
    [`${time} stdout F stdout F nested`, {stream: 'stdout', partial: false, text: 'stdout F nested'}],
    [`${time} stdout F a\rb\u2028c`, {stream: 'stdout', partial: false, text: 'a\rb\u2028c'}],
  ] as const)
    t.deepEqual(parseLogLine(line), {time, ...expected}, line);
});

test('what is no record is none: half a line, another stream, another tag', (t) => {
  for (const line of [
    '',
    time,
    `${time} stdout`,
    `${time} stdout F`,
    `${time} stdin F x`,
    `${time} stdout X x`,
    'stdout F x',
    ` ${time} stdout F x`,
  ])
    t.is(parseLogLine(line), undefined, JSON.stringify(line));
});

test('any text without a newline comes back as it was written', (t) => {
  fc.assert(
    fc.property(
      fc.string({unit: 'binary'}).filter((text) => !text.includes('\n')),
      fc.constantFrom('stdout', 'stderr'),
      fc.constantFrom('P', 'F'),
      (text, stream, tag) => {
        t.deepEqual(parseLogLine(`${time} ${stream} ${tag} ${text}`), {time, stream, partial: tag === 'P', text});
      },
    ),
  );
  t.pass();
});

test('a file gives its records in order; lines that are none are left out; no file gives none', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const path = join(folder.path, '0.log');
  t.deepEqual(readLog(path), []);
  writeFileSync(path, '');
  t.deepEqual(readLog(path), []);
  writeFileSync(path, `${time} stdout F one\ngarbage\n\n${time} stderr F two\n${time} stdout P three\n${time} std`);
  t.deepEqual(
    readLog(path).map(({text}) => text),
    ['one', 'two', 'three'],
  );
});

test('bytes that are no UTF-8 become replacement characters and do not spoil other lines', async (t) => {
  const folder = await dir({unsafeCleanup: true});
  t.teardown(() => folder.cleanup());
  const path = join(folder.path, '0.log');
  writeFileSync(
    path,
    Buffer.concat([
      Buffer.from(`${time} stdout F a`),
      Buffer.from([0xff, 0x00, 0xfe]),
      Buffer.from(`b\n${time} stdout F c\n`),
    ]),
  );
  t.deepEqual(
    readLog(path).map(({text}) => text),
    ['a\ufffd\0\ufffdb', 'c'],
  );
});
