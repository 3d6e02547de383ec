import test from 'ava';
import {findDifference} from './compare.ts';

test('numbers stand for any number, the same for the same', (t) => {
  t.is(findDifference('a 12345 b 12345', 'a 7 b 7'), undefined);
  t.is(findDifference('a 12345 b 12345', 'a 7 b 8'), 'the line "a 12345 b 12345" is "a 7 b 8"');
});

test('another id stands for another id', (t) => {
  t.is(findDifference('12345 54321', '7 8'), undefined);
  t.not(findDifference('12345 54321', '7 7'), undefined);
});

test('one digit, 65536 and 4294967295 are themselves', (t) => {
  for (const number of ['0', '65536', '4294967295']) {
    t.is(findDifference(number, number), undefined);
    t.not(findDifference(number, '12345'), undefined);
  }
});

test('blanks, times and hexadecimal ids are not compared', (t) => {
  t.is(findDifference('5c1fdb0f7f14c  0s   50.4 ms', 'aaaaaaaaaaaaa 12s 7.1 ms'), undefined);
  t.not(findDifference('5c1fdb0f7f14c', 'hello'), undefined);
});

test('missing, other and additional lines are found', (t) => {
  t.is(findDifference('a\nb', 'a'), 'the line "b" is missing');
  t.is(findDifference('a', 'a\nb'), 'there is one more line: "b"');
  t.is(findDifference('a\nb', 'a\nc'), 'the line "b" is "c"');
});

test('… stands for lines, or for the rest of one', (t) => {
  t.is(findDifference('a\n…\nd', 'a\nb\nc\nd'), undefined);
  t.is(findDifference('a\n…', 'a\nb\nc'), undefined);
  t.is(findDifference('error: …\nb', 'error: anything\nb'), undefined);
  t.not(findDifference('a\n…\nd', 'a\nb'), undefined);
});

test('exact compares numbers too', (t) => {
  t.is(findDifference('12345  1', '12345 1', {exact: true}), undefined);
  t.not(findDifference('12345', '7', {exact: true}), undefined);
});
