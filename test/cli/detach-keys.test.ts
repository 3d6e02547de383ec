import test from 'ava';
import fc from 'fast-check';
import {DetachKeys} from '../../src/cli/detach-keys.ts';

/** What of the pieces reaches the container, with `|` where they let go; `.` as a piece is the pause after which a Ctrl-P is given out. */
function typed(...pieces: readonly string[]): string {
  const keys = new DetachKeys();
  let out = '';
  for (const piece of pieces) {
    if (piece === '.') {
      out += Buffer.from(keys.release()).toString('latin1');
      continue;
    }
    const {pass, detached} = keys.push(Buffer.from(piece, 'latin1'));
    out += Buffer.from(pass).toString('latin1');
    if (detached) return `${out}|`;
  }
  return out;
}

test('Ctrl-P Ctrl-Q lets go, together or apart, and types nothing', (t) => {
  t.is(typed('\x10\x11'), '|');
  t.is(typed('\x10', '\x11'), '|');
  t.is(typed('abc\x10\x11def'), 'abc|');
  t.is(typed('abc\x10', '\x11def'), 'abc|');
  t.is(typed('\x10\x10\x11'), '\x10|');
  t.is(typed('\x10', '\x10', '\x11'), '\x10|');
});

test('a Ctrl-P of its own reaches the container: with the next key, or after a pause', (t) => {
  t.is(typed('\x10'), '');
  t.is(typed('\x10', '.'), '\x10');
  t.is(typed('\x10', '.', '.'), '\x10');
  t.is(typed('\x10', 'a'), '\x10a');
  t.is(typed('a\x10', 'b\x10', 'c'), 'a\x10b\x10c');
  t.is(typed('\x10', '.', 'a', '\x11'), '\x10a\x11');
  t.is(typed('\x11'), '\x11');
});

test('a Ctrl-Q after the pause still lets go', (t) => {
  t.is(typed('\x10', '.', '\x11'), '\x10|');
});

test('without the two keys in a row nothing is lost or added but a last Ctrl-P that waits', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({unit: fc.constantFrom('a', '\x10', '\x12', '\n')})), (chunks) => {
      t.is(typed(...chunks), chunks.join('').replace(/\x10$/, ''));
      const paused = chunks.flatMap((chunk) => [chunk, '.']);
      t.is(typed(...paused), chunks.join(''));
    }),
  );
});
