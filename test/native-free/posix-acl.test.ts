import test from 'ava';
import {parsePosixAcl} from '../../native-free/posix-acl.ts';

const entry = (tag: number, bits: number, id: number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(tag, 0);
  bytes.writeUInt16LE(bits, 2);
  bytes.writeUInt32LE(id, 4);
  return bytes.toString('hex');
};
const none = 4_294_967_295;

test('users, groups, the owning group and the mask are read', (t) => {
  const hex = `02000000${entry(1, 7, none)}${entry(2, 6, 1000)}${entry(2, 4, 70_000)}${entry(4, 5, none)}${entry(8, 1, 4)}${entry(16, 7, none)}${entry(32, 0, none)}`;
  t.deepEqual(parsePosixAcl(hex), {
    users: [
      {uid: 1000, bits: 6},
      {uid: 70_000, bits: 4},
    ],
    groups: [{gid: 4, bits: 1}],
    group: 5,
    mask: 7,
  });
});

test('an entry whose id has no name for the reader is left out', (t) => {
  const hex = `02000000${entry(1, 7, none)}${entry(2, 6, none)}${entry(4, 5, none)}${entry(16, 7, none)}${entry(32, 0, none)}`;
  t.deepEqual(parsePosixAcl(hex)?.users, []);
});

test('what is no ACL, another version, or no more than the mode is none', (t) => {
  const minimal = `02000000${entry(1, 7, none)}${entry(4, 5, none)}${entry(32, 0, none)}`;
  for (const hex of ['', '02', 'zz', '01000000', minimal, `${minimal}00`]) t.is(parsePosixAcl(hex), undefined, hex);
});
