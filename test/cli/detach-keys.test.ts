import test from 'ava';
import fc from 'fast-check';
import {DetachKeys} from '../../src/cli/detach-keys.ts';

function typed(...chunks: readonly string[]): {readonly text: string; readonly detached: boolean} {
  const keys = new DetachKeys();
  let text = '';
  for (const chunk of chunks) {
    const {pass, detached} = keys.push(Buffer.from(chunk, 'latin1'));
    text += Buffer.from(pass).toString('latin1');
    if (detached) return {text, detached};
  }
  return {text, detached: false};
}

test('Ctrl-P Ctrl-Q lets go, together or apart, and neither reaches the container', (t) => {
  t.deepEqual(typed('ls\x10\x11more'), {text: 'ls', detached: true});
  t.deepEqual(typed('ls\x10', '\x11'), {text: 'ls', detached: true});
  t.deepEqual(typed('\x10\x10\x11'), {text: '\x10', detached: true});
});

test('a Ctrl-P before another key is passed on with it, and a Ctrl-Q alone is one of the container’s keys', (t) => {
  t.deepEqual(typed('\x10', 'a'), {text: '\x10a', detached: false});
  t.deepEqual(typed('\x11'), {text: '\x11', detached: false});
});

test('without the two keys in a row nothing is lost or added but a last Ctrl-P that waits', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({unit: fc.constantFrom('a', '\x10', '\x12', '\n')})), (chunks) => {
      t.is(typed(...chunks).text, chunks.join('').replace(/\x10$/, ''));
    }),
  );
});
