import test from 'ava';
import type {IdSpaceFacts} from '../../src/doctor/facts.ts';
import {judgeIdSpace, namedHostRanges} from '../../src/doctor/id-space.ts';
import {knownPools} from '../../src/doctor/known-pools.ts';
import {goodIds, liveNamespace, subuidText} from './doctor-facts.ts';

const rulesOf = (facts: IdSpaceFacts) => judgeIdSpace(facts).conflicts.map(({rule, kind}) => `${rule} ${kind}`);
const block = (first: number) => ({first, size: 65536, kind: 'pod', pod: 'web'});
const ledger = (ownerUid: number, ...firsts: readonly number[]) => ({root: '/x', ownerUid, blocks: firsts.map(block)});

test('a good machine has claims and no conflicts', (t) => {
  const space = judgeIdSpace(goodIds);
  t.deepEqual(space.conflicts, []);
  t.deepEqual(
    space.uid.subordinate.map(({owner, start, count}) => [owner, start, count]),
    [['anna', 131072, 131072]],
  );
  t.is(space.uid.accounts.length, 5);
  t.is(space.gid.accounts.length, 4);
});

test('an overlap of two owners is a conflict with the ids and both lines; of one owner it is none', (t) => {
  const overlapping = judgeIdSpace({...goodIds, ...subuidText('anna:131072:65536\nbert:131072:1\n', '')});
  t.like(overlapping.conflicts[0], {
    rule: 'subid-overlap',
    kind: 'uid',
    owners: ['anna', 'bert'],
    why: "/etc/subuid lines 1 (anna) and 2 (bert) both grant 131072: each can act on the other's containers",
  });
  t.deepEqual(overlapping.conflicts[0]?.ids, [{start: 131072, size: 1}]);
  t.deepEqual(rulesOf({...goodIds, ...subuidText('anna:131072:65536\nanna:131072:1\n1000:131072:5\n')}), []);
  t.deepEqual(rulesOf({...goodIds, ...subuidText('anna:131072:65536\nbert:196608:65536\n')}), []);
});

test('a block of ours in the grant of another user is a conflict, in the own grant or in one for root none', (t) => {
  const conflict = judgeIdSpace({...goodIds, ledger: ledger(0, 131072)});
  t.like(conflict.conflicts[0], {rule: 'pool-overlap', kind: 'uid', owners: ['subroot', 'anna']});
  t.regex(
    conflict.conflicts[0]?.why ?? '',
    /blocks of subroot \(131072-196607\) lie in the range of anna \(\/etc\/subuid line 1\)/,
  );
  t.deepEqual(rulesOf({...goodIds, ledger: ledger(1000, 131072)}), []);
  t.deepEqual(rulesOf({...goodIds, ledger: ledger(0, 1048576)}), []);
  const withKubelet = {
    ...goodIds,
    ...subuidText('kubelet:131072:131072\n'),
    accounts: [...goodIds.accounts, {name: 'kubelet', uid: 990, gid: 990, shell: ''}],
  };
  t.deepEqual(rulesOf({...withKubelet, ledger: ledger(0, 131072)}), []);
});

test('a block of ours over a real account or in the pool of an installed tool is a conflict', (t) => {
  const accounts = [...goodIds.accounts, {name: 'ldap', uid: 1048577, gid: 5, shell: '/bin/sh'}];
  t.deepEqual(rulesOf({...goodIds, accounts, ledger: ledger(0, 1048576)}), ['pool-overlap uid']);
  t.deepEqual(rulesOf({...goodIds, tools: ['incus'], ledger: ledger(0, 1048576)}), [
    'pool-overlap uid',
    'pool-overlap gid',
  ]);
  t.deepEqual(rulesOf({...goodIds, tools: ['systemd-nspawn'], ledger: ledger(0, 327680)}), []);
});

test("a running namespace in somebody else's grant is a conflict", (t) => {
  const live = (owner: number | undefined) => ({...goodIds, live: [liveNamespace({owner})]});
  t.deepEqual(rulesOf(live(1000)), []);
  t.deepEqual(rulesOf(live(undefined)), []);
  t.deepEqual(rulesOf(live(1001)), ['live-namespace-foreign-range uid', 'live-namespace-foreign-range gid']);
  t.deepEqual(rulesOf(live(0)), ['live-namespace-foreign-range uid', 'live-namespace-foreign-range gid']);
  const [conflict] = judgeIdSpace(live(1001)).conflicts;
  t.is(
    conflict?.why,
    'a user namespace of bert (pid 77, sleep) uses 131072-196607, which /etc/subuid line 1 grants to anna',
  );
});

test("a namespace made by an id of somebody's grant is that somebody's", (t) => {
  t.deepEqual(rulesOf({...goodIds, live: [liveNamespace({owner: 131073})]}), []);
});

test('a namespace of one id, and one whose ids are a block of ours, prove nothing', (t) => {
  const one = [{containerId: 0, hostId: 131072, size: 1}];
  t.deepEqual(rulesOf({...goodIds, live: [liveNamespace({owner: 1001, uidMap: one, gidMap: one})]}), []);
  const ours = {...goodIds, live: [liveNamespace({owner: 1001})], ledger: ledger(1000, 131072)};
  t.deepEqual(rulesOf(ours), []);
});

test('lines of a map without a name here are no claim', (t) => {
  t.deepEqual(
    namedHostRanges([
      {containerId: 0, hostId: 4294967295, size: 10},
      {containerId: 10, hostId: 5, size: 2},
      {containerId: 12, hostId: 7, size: 2},
    ]),
    [{start: 5, size: 4}],
  );
});

test('pools of tools are present when a program of theirs is, and that of useradd comes from login.defs', (t) => {
  const pools = knownPools({...goodIds, tools: ['lxd', 'kubelet']});
  t.deepEqual(
    pools.map(({name, present, range}) => [name, present, range.start]),
    [
      ['useradd', true, 100000],
      ['Incus/LXD', true, 1000000],
      ['systemd containers', false, 524288],
      ['kubelet default', true, 65536],
    ],
  );
  const defs = {subUidMin: 200000, subUidMax: 299999, subUidCount: 1};
  t.deepEqual(knownPools({loginDefs: defs, tools: []})[0]?.range, {start: 200000, size: 100000});
});

test('owners and commands with control bytes are shown escaped', (t) => {
  const facts = {
    ...goodIds,
    ...subuidText('an\x07na:131072:65536\n'),
    live: [liveNamespace({command: '\x1b[2J', owner: 1001})],
  };
  t.notRegex(
    JSON.stringify(judgeIdSpace(facts).conflicts.map(({why, mend, owners}) => [why, mend, ...owners])),
    /\\u00/,
  );
});
