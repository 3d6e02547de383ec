import test from 'ava';
import fc from 'fast-check';
import {parseGroup, parsePasswd} from '../../native-free/accounts.ts';

test('lines of passwd and group are read in their order, and what is no line is passed over', (t) => {
  t.deepEqual(
    parsePasswd('root:x:0:0:root:/root:/bin/sh\n\n# note\nbad\nx:x:no:1::/:\nanna:x:1000:100::/home/anna:\n'),
    [
      {name: 'root', uid: 0, gid: 0, home: '/root'},
      {name: 'anna', uid: 1000, gid: 100, home: '/home/anna'},
    ],
  );
  t.deepEqual(parseGroup('root:x:0:\nadm:x:4:anna, bob,,root\n:x:5:\nbig:x:4294967295:a\n'), [
    {name: 'root', gid: 0, members: []},
    {name: 'adm', gid: 4, members: ['anna', 'bob', 'root']},
  ]);
});

test('any text is some accounts, whose ids are ids', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^([a-z:,0-9#\n-]{0,40})$/)), (text) => {
      for (const {uid, gid, name} of parsePasswd(text)) {
        if (!(Number.isInteger(uid) && uid >= 0 && uid < 2 ** 32 - 1 && gid >= 0 && name !== '')) throw new Error(text);
      }
      for (const {gid, members} of parseGroup(text)) {
        if (!(Number.isInteger(gid) && gid >= 0) || members.includes('')) throw new Error(text);
      }
    }),
  );
  t.pass();
});
