import {constants} from 'node:os';
import test from 'ava';
import {type Errno, errnoNumber, errnoTable, errnoText, findErrno, isErrno} from '../../native-free/errno.ts';
import {hostTest} from '../helpers/host-test.ts';

test('numbers and names lead to each other', (t) => {
  for (const name of Object.keys(errnoTable) as Errno[]) {
    t.is(findErrno(errnoNumber(name)), name);
    t.is(findErrno(-errnoNumber(name)), name);
    t.true(isErrno(name));
    t.regex(errnoText(name), /^[A-Z]/);
  }
  t.is(findErrno(0), undefined);
  t.false(isErrno('toString'));
  t.false(isErrno(1));
});

hostTest('linux')('the numbers are those of this Linux', (t) => {
  const known: Record<string, number> = constants.errno;
  for (const name of Object.keys(errnoTable) as Errno[])
    if (known[name] !== undefined) t.is(errnoNumber(name), known[name], name);
});
