import {isIP} from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import {planDial} from '../../src/host/dial.ts';

const digitsOf = (address: string) => planDial(address, 80, 'only').at(-1)?.[3];

for (const [address, digits] of [
  ['127.0.0.1', '7f000001'],
  ['192.0.2.255', 'c00002ff'],
  ['::1', '00000000000000000000000000000001'],
  ['::', '00000000000000000000000000000000'],
  ['2001:db8::1:2', '20010db8000000000000000000010002'],
  ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
  ['fe80::1%eth0', 'fe800000000000000000000000000001'],
  ['::ffff:10.9.8.7', '00000000000000000000ffff0a090807'],
] as const) {
  test(`the address ${address} is ${digits}`, (t) => {
    t.is(digitsOf(address), digits);
  });
}

test('an address has 8 or 32 digits, and what is none is refused', (t) => {
  fc.assert(fc.property(fc.ipV4(), (address) => digitsOf(address)?.length === 8));
  fc.assert(fc.property(fc.ipV6(), (address) => digitsOf(address)?.length === 32));
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(isIP(text) === 0);
      t.throws(() => planDial(text, 80, 'only'), {instanceOf: RangeError});
      return true;
    }),
  );
});

test('a connection joins the network of the pod and nothing else, and has no capability before it becomes a program', (t) => {
  const steps = planDial('127.0.0.1', 8080, 'relay');
  t.deepEqual(
    steps.filter(([name]) => name === 'join'),
    [['join', 'net']],
  );
  const names = steps.map(([name]) => name);
  t.deepEqual(names.slice(0, -1).includes('exec'), false);
  for (const name of ['bounding', 'capabilities', 'nonewprivs', 'pdeathsig'] as const)
    t.true(names.includes(name), name);
  t.deepEqual(steps.at(-1)?.slice(-2), ['8080', 'relay']);
});
