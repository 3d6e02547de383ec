import test from 'ava';
import type {GetsubidsResult, PoolSources} from '../../sim/index.ts';
import {parseGetsubids, poolFrom} from '../../sim/index.ts';

const line = '0: kubelet 65536 7208960\n';
const exited = (stdout: string, code = 0, stderr = ''): GetsubidsResult => ({kind: 'exited', code, stdout, stderr});
const sources = (
  uids: GetsubidsResult,
  gids: GetsubidsResult = uids,
  rest: Partial<PoolSources> = {},
): PoolSources => ({
  lookupAccount: () => ({kind: 'found'}),
  getsubids: (args) => (args[0] === '-g' ? gids : uids),
  ...rest,
});
const code = 'SUBROOT_POOL_SOURCE';

test('J1 the range is in fields 3 and 4', (t) => {
  t.deepEqual(parseGetsubids('0: kubelet 65536 2147483648'), {first: 65_536, length: 2_147_483_648});
});

for (const [id, output, message] of [
  ['J2 a line of three fields', '0: kubelet 65536', /expected 4 fields, got 3/],
  ['J3 a word for the first id', '0: kubelet Foo 65536', /"Foo" is no number/],
  ['J3 a word for the length', '0: kubelet 0 Bar', /"Bar" is no number/],
  ['J3 a first id of 2^32', '0: kubelet 4294967296 2147483648', /"4294967296" is no number/],
  ['J3 a negative first id', '0: kubelet -1 2147483648', /"-1" is no number/],
  ['a plus sign', '0: kubelet +1 5', /"\+1" is no number/],
  ['hexadecimal', '0: kubelet 0x10 5', /"0x10" is no number/],
  ['an underscore', '0: kubelet 1_0 5', /"1_0" is no number/],
  ['two lines', '0: kubelet 65536 65536\n1: kubelet 131072 65536', /expected one line, got 2/],
  ['nothing', '', /expected 4 fields, got 0/],
] as const) {
  test(`${id} is refused`, (t) => {
    t.throws(() => parseGetsubids(output), {code, message});
  });
}

test('newlines at both ends and any white space between fields are fine, the first two fields can be anything', (t) => {
  t.deepEqual(parseGetsubids('\n\nx\ty  65536\t 4294967295\n'), {first: 65_536, length: 4_294_967_295});
});

test('an explicit range wins and nothing is looked up', (t) => {
  const pool = {first: 65_536, length: 7_208_960};
  const never = () => t.fail() as never;
  t.deepEqual(poolFrom({explicit: pool, lookupAccount: never, getsubids: never}), {
    pool,
    source: 'explicit',
    why: 'it was given',
  });
});

test('without an account kubelet the default pool is used, and why is said', (t) => {
  const chosen = poolFrom(sources(exited(line), exited(line), {lookupAccount: () => ({kind: 'unknown'})}));
  t.deepEqual(chosen.pool, {first: 65_536, length: 4_294_901_760});
  t.is(chosen.source, 'default');
  t.regex(chosen.why, /no account kubelet/);
});

test('a failed account lookup is an error and not "no account"', (t) => {
  const lookupAccount = () => ({kind: 'failed', why: 'sssd does not answer'}) as const;
  t.throws(() => poolFrom(sources(exited(line), exited(line), {lookupAccount})), {
    code,
    message: /sssd does not answer/,
  });
});

test('the range of the account is used when subuids and subgids agree', (t) => {
  const asked: string[][] = [];
  const getsubids = (args: readonly string[]) => {
    asked.push([...args]);
    return exited(line);
  };
  t.like(poolFrom(sources(exited(line), exited(line), {getsubids})), {
    pool: {first: 65_536, length: 7_208_960},
    source: 'account',
  });
  t.deepEqual(asked, [['kubelet'], ['-g', 'kubelet']]);
});

test('outputs that differ by one byte are refused', (t) => {
  t.throws(() => poolFrom(sources(exited(line), exited(line.trim()))), {
    code,
    message: /mismatched subuids and subgids/,
  });
});

for (const [which, uids, gids, file] of [
  ['subuids', exited('', 1, 'Error fetching ranges'), exited(line), '/etc/subuid'],
  ['subgids', exited(line), exited('', 1, 'Error fetching ranges'), '/etc/subgid'],
] as const) {
  test(`no entry in ${which} is refused and the line to add is named`, (t) => {
    const message = new RegExp(
      `${file} exited with 1: Error fetching ranges[\\s\\S]*kubelet:65536:7208960. to ${file}`,
    );
    t.throws(() => poolFrom(sources(uids, gids)), {code, message});
  });
}

test("without getsubids ours is the default pool, the kubelet's an error", (t) => {
  t.is(poolFrom(sources({kind: 'missing'})).source, 'default');
  t.throws(() => poolFrom(sources({kind: 'missing'}, {kind: 'missing'}, {behaviour: 'kubelet'})), {
    code,
    message: /executable file not found/,
  });
});

test("the account's range is held to the pool's rules", (t) => {
  t.throws(() => poolFrom(sources(exited('0: kubelet 65536 65536'))), {
    code: 'SUBROOT_POOL_TOO_SMALL',
    message: /110 pods/,
  });
  t.throws(() => poolFrom(sources(exited('0: kubelet 100000 65536'))), {
    code: 'SUBROOT_POOL_RANGE',
    message: /assigned ID 100000/,
  });
});
