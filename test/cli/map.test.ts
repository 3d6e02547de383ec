import {type ChildProcess, spawn} from 'node:child_process';
import {readFileSync, readlinkSync, writeFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import {dir} from 'tmp-promise';
import {toContainerId, toHostId, translateChain} from '../../native-free/id-map.ts';
import {checkMaps} from '../../src/cli/map-check.ts';
import {levelsOfChain, mapText} from '../../src/cli/map-levels.ts';
import {translateRange} from '../../src/cli/map-translate.ts';
import {mapCheckSchema, mapSchema} from '../../src/cli/schemas.ts';
import {hostTest} from '../helpers/host-test.ts';
import {runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

interface MapJson {
  readonly source: {readonly kind: string; readonly name: string | null; readonly pid: number | null};
  readonly levels: readonly {readonly label: string; readonly inode: number | null; readonly uid: unknown}[];
  readonly translations: readonly {
    readonly kind: string;
    readonly pieces: readonly {
      readonly steps: readonly unknown[];
      readonly result: {readonly first: number; readonly last: number} | null;
      readonly stoppedAt: number | null;
      readonly shownAs: number | null;
      readonly errno: string | null;
    }[];
  }[];
  readonly notes: readonly string[];
}

async function mapJson(args: readonly string[]): Promise<MapJson> {
  const {exitCode, stdout, stderr} = await runCli(['map', '-o', 'json', ...args]);
  if (exitCode !== 0) throw new Error(stderr);
  const value = JSON.parse(stdout) as MapJson;
  const faults = findSchemaFaults(mapSchema, value);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return value;
}

const resultsOf = (json: MapJson) => json.translations.map(({pieces}) => pieces.map(({result}) => result));

test('an id inside is translated to the host, and an unmapped one stops with EINVAL', async (t) => {
  const json = await mapJson(['--map', '0 100000 65536', '0', '65535', '65536']);
  t.deepEqual(resultsOf(json), [[{first: 100000, last: 100000}], [{first: 165535, last: 165535}], [null]]);
  t.like(json.translations[2]?.pieces[0], {stoppedAt: 0, errno: 'EINVAL', shownAs: null});
});

test('an id outside is translated to the container, and an unmapped one is shown as 65534', async (t) => {
  const json = await mapJson(['--map', '0 100000 65536', '--to-container', '100000', '7']);
  t.deepEqual(resultsOf(json), [[{first: 0, last: 0}], [null]]);
  t.like(json.translations[1]?.pieces[0], {stoppedAt: 1, errno: null, shownAs: 65534});
});

test('a chain of maps is followed outermost first and says at which level an id stops', async (t) => {
  const json = await mapJson(['--map', '0 100000 1000', '--map', '0 1 2000', '5', '1500']);
  t.deepEqual(resultsOf(json), [[{first: 100006, last: 100006}], [null]]);
  t.deepEqual(json.translations[0]?.pieces[0]?.steps, [
    {level: 2, first: 5, last: 5},
    {level: 1, first: 6, last: 6},
    {level: 0, first: 100006, last: 100006},
  ]);
  t.is(json.translations[1]?.pieces[0]?.stoppedAt, 0);
  const {stdout} = await runCli(['map', '--map', '0 100000 1000', '--map', '0 1 2000', '1500']);
  t.regex(
    stdout.replaceAll(/\s+/g, ' '),
    /1500 1501 - level 0 has no id for it: the kernel refuses such a map \(EPERM\)/,
  );
});

test('a range is cut where lines end, and holes are pieces of their own', async (t) => {
  const json = await mapJson(['--map', '0 100000 10,20 300000 5', '0-30']);
  t.deepEqual(resultsOf(json), [[{first: 100000, last: 100009}, null, {first: 300000, last: 300004}, null]]);
});

test('gids have maps of their own, and equal maps are shown once', async (t) => {
  const json = await mapJson(['--map', '0 1 1', '--gid-map', '0 2 1', '0']);
  t.deepEqual(
    json.translations.map(({kind, pieces}) => [kind, pieces[0]?.result?.first]),
    [
      ['uid', 1],
      ['gid', 2],
    ],
  );
  const alike = await runCli(['map', '--map', '0 5 1', '--gid-map', '0 5 1', '0']);
  t.regex(alike.stdout, /^uids and gids$/m);
  t.notRegex(alike.stdout, /^gids$/m);
});

test('the text of a translation is a table of the levels, plain and within 80 columns', async (t) => {
  const {exitCode, stdout, stderr} = await runCli(['map', '--map', '0 100000 65536', '0', '1000', '70000']);
  t.is(exitCode, 0);
  t.is(stderr, '');
  t.is(
    stdout,
    `Level 1: inside
  uids: 65,536 ids in 1 line
  INSIDE       AT LEVEL 0
  0-65535  ->  100000-165535

uids
LEVEL 1 (INSIDE)  LEVEL 0 (OUTSIDE)
0                 100000
1000              101000
70000             -                  unmapped at level 1: setuid or chown to it
                                     fails with EINVAL
`,
  );
});

test('without ids the ruler shows where they are outside', async (t) => {
  const {stdout} = await runCli(['map', '--map', '0 65536 65536']);
  t.regex(stdout, /^Where they are at level 0 \(outside\)$/m);
  t.regex(stdout, /^ {5}65536 \|a{64}\|$/m);
  t.regex(stdout, /^a {2}uids of level 1 {2}65,536 {2}65536-131071$/m);
});

test('an impossible map is refused with the two lines that overlap', async (t) => {
  const {exitCode, stderr} = await runCli(['map', '--map', '0 100000 10,10 100005 10', '3']);
  t.is(exitCode, 2);
  t.regex(stderr, /lines 1 and 2 share the outside ids 100005-100009/);
  t.regex(stderr, /\[SUBROOT_IDMAP_TEXT\]\n$/);
});

test('a file is read as /proc shows a map; a missing one is named', async (t) => {
  const {path, cleanup} = await dir({unsafeCleanup: true});
  t.teardown(cleanup);
  writeFileSync(`${path}/uid_map`, '         0     100000      65536\n');
  const json = await mapJson(['--file', `${path}/uid_map`, '1']);
  t.deepEqual(resultsOf(json), [[{first: 100001, last: 100001}]]);
  t.is(json.source.kind, 'file');
  const missing = await runCli(['map', '--file', `${path}/none`, '1']);
  t.is(missing.exitCode, 2);
  t.regex(missing.stderr, /cannot read .*\/none: ENOENT.*\n.*\[SUBROOT_FILE_UNREADABLE\]/);
});

test('ids that are none, sources that exclude each other and opposite directions are usage errors', async (t) => {
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['--map', '0 1 1', '0x10'], /an id cannot be "0x10"/],
    [['--map', '0 1 1', '9-3'], /"9-3" ends before it begins/],
    [['--map', '0 1 1', '4294967295'], /an id cannot be "4294967295"/],
    [['--map', '0 1 1', '--pid', '1'], /--map and --pid exclude each other/],
    [['--map', '0 1 1', '--to-host', '--to-container', '1'], /are opposites/],
    [['--pid', 'abc', '1'], /--pid cannot be "abc"/],
    [['--pid', '1', '--check'], /--check is for maps that are not written yet/],
    [['1'], /no map to translate through/],
  ];
  await Promise.all(
    cases.map(async ([args, message]) => {
      const {exitCode, stdout, stderr} = await runCli(['map', ...args]);
      t.is(exitCode, 2, args.join(' '));
      t.is(stdout, '');
      t.regex(stderr, message);
    }),
  );
});

test('--check answers as the kernel does and exits 1 when it refuses', async (t) => {
  const cases: readonly (readonly [args: readonly string[], exitCode: number, shown: RegExp])[] = [
    [['--map', '0 100000 65536'], 0, /Level 1, uid_map: accepted/],
    [['--map', '0 100000 65536', '--as', '1000'], 1, /refused with EPERM[\s\S]*\[idmap-setid-capability\]/],
    [['--map', '0 1000 1', '--as', '1000'], 0, /accepted/],
    [['--gid-map', '0 1000 1', '--as', '1000'], 1, /setgroups of the namespace is still "allow"/],
    [['--gid-map', '0 1000 1', '--as', '1000', '--setgroups', 'deny'], 0, /Level 1, gid_map: accepted/],
    [['--map', '0 4294901760 65536'], 1, /refused with EINVAL[\s\S]*\[idmap-past-last-id\]/],
    [['--map', '0 1 10,5 100 10'], 1, /lines 1 and 2 both map the inside ids 5-9/],
    [['--map', '0 4294967296 1'], 0, /installs 0 0 1; subroot refuses it[\s\S]*IS the host's root/],
    [['--map', '1 100000 10'], 0, /id 0 is not mapped inside/],
    [
      ['--map', '0 100000 10', '--map', '0 5 10'],
      1,
      /Level 2, uid_map: refused with EPERM[\s\S]*\[idmap-parent-unmapped\]/,
    ],
    [['--map', '1 100000 10', '--map', '0 5 1'], 1, /the namespace of level 2 cannot even be made/],
  ];
  await Promise.all(
    cases.map(async ([args, exitCode, shown]) => {
      const result = await runCli(['map', '--check', ...args]);
      t.is(result.exitCode, exitCode, `${args.join(' ')}\n${result.stdout}${result.stderr}`);
      t.regex(result.stdout.replaceAll(/\s+/g, ' '), shown);
    }),
  );
});

test('the JSON of --check fits its schema and names the rule, those before as passed and those after as not reached', async (t) => {
  const {exitCode, stdout} = await runCli(['map', '--check', '-o', 'json', '--map', '0 1 10,5 100 10']);
  t.is(exitCode, 1);
  const value = JSON.parse(stdout) as {checks: {rules: {rule: string; answer: string}[]}[]};
  t.deepEqual(findSchemaFaults(mapCheckSchema, value), []);
  t.like(value, {accepted: false, writer: {uid: 0, privileged: true, from: 'parent'}});
  t.deepEqual(
    value.checks[0]?.rules.map(({rule, answer}) => [rule, answer]),
    [
      ['open', 'passed'],
      ['place', 'passed'],
      ['one-write', 'passed'],
      ['once', 'passed'],
      ['namespace', 'passed'],
      ['idmap-overlap', 'refused'],
      ['who', 'not reached'],
      ['parent', 'not reached'],
    ],
  );
});

test('a map text has its lines after newlines, written-out newlines and commas', (t) => {
  t.is(mapText('0 1 2, 3 4 5'), '0 1 2\n3 4 5');
  t.is(mapText('0 1 2\\n3 4 5'), '0 1 2\n3 4 5');
  t.is(mapText('0 1 2\n3 4 5\n'), '0 1 2\n3 4 5\n');
});

test('a write from inside may map the own id only', (t) => {
  const base = {gidTexts: [], setgroups: 'allow', from: 'inside'} as const;
  t.like(checkMaps({...base, uidTexts: ['0 100000 65536'], uid: 0})[0], {accepted: false, errno: 'EPERM'});
  t.like(checkMaps({...base, uidTexts: ['0 1000 1'], uid: 1000})[0], {accepted: true});
});

test('the levels of a chain that is read in our ids are relative to each other', (t) => {
  const level = {owner: 0, pid: 1};
  const {levels, notes} = levelsOfChain({kind: 'pid', pid: 9}, 9, {
    own: 4026531837,
    complete: true,
    setgroups: 'allow',
    levels: [
      {...level, inode: 11, uidMap: [{containerId: 0, hostId: 100000, size: 1000}], gidMap: []},
      {...level, inode: 12, uidMap: [{containerId: 0, hostId: 100010, size: 5}], gidMap: []},
    ],
  });
  t.deepEqual(
    levels.map(({label, uid}) => [label, uid]),
    [
      ['host', undefined],
      ['namespace 1', [{containerId: 0, hostId: 100000, size: 1000}]],
      ['pid 9', [{containerId: 0, hostId: 10, size: 5}]],
    ],
  );
  t.is(notes.length, 1);
});

test('a level without a readable process, lines without a name here and an incomplete chain are said', (t) => {
  const {levels, notes} = levelsOfChain({kind: 'pid', pid: 9}, 9, {
    own: 5,
    complete: false,
    setgroups: 'deny',
    levels: [
      {inode: 11, owner: undefined, pid: undefined, uidMap: undefined, gidMap: undefined},
      {
        inode: 12,
        owner: 0,
        pid: 9,
        uidMap: [
          {containerId: 0, hostId: 0, size: 1},
          {containerId: 1, hostId: 4294967295, size: 5},
        ],
        gidMap: [],
      },
    ],
  });
  t.is(levels.length, 2);
  t.deepEqual(levels[1]?.uid, [{containerId: 0, hostId: 0, size: 1}]);
  const all = notes.join('\n');
  for (const part of [
    /levels may be missing/,
    /no process is in user:\[11\]/,
    /shown as 4294967295/,
    /IS root of your namespace/,
    /setgroups is denied/,
  ])
    t.regex(all, part);
});

const extents = fc
  .array(fc.record({gap: fc.integer({min: 0, max: 20}), size: fc.integer({min: 1, max: 20})}), {maxLength: 6})
  .map((parts) => {
    let inside = 0;
    let outside = 1000;
    return parts.map(({gap, size}) => {
      const line = {containerId: inside + gap, hostId: outside + ((gap * 7) % 13), size};
      inside = line.containerId + size;
      outside = line.hostId + size;
      return line;
    });
  });

test('a translated range says for every id what the translation of that id alone says', (t) => {
  fc.assert(
    fc.property(extents, fc.integer({min: 0, max: 150}), fc.integer({min: 1, max: 60}), (map, start, size) => {
      for (const direction of ['to-host', 'to-container'] as const) {
        const base = direction === 'to-host' ? start : 1000 + start;
        const pieces = translateRange([map], {start: base, size}, direction);
        let id = base;
        for (const {steps, result, stoppedAt} of pieces) {
          const asked = steps[0]?.range;
          if (asked?.start !== id) return false;
          for (let offset = 0; offset < asked.size; offset += 1) {
            const one = direction === 'to-host' ? toHostId(map, id + offset) : toContainerId(map, id + offset);
            if (one !== (result === undefined ? undefined : result.start + offset)) return false;
            if (translateChain([map], id + offset, direction).stoppedAt !== stoppedAt) return false;
          }
          id += asked.size;
        }
        if (id !== base + size) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('a pid that is gone is not found, exit code 1', async (t) => {
  const {exitCode, stderr} = await runCli(['map', '--pid', '4194303', '0']);
  t.is(exitCode, 1);
  t.regex(stderr, /there is no process 4194303.*\n.*\[SUBROOT_PROCESS_NOT_FOUND\]/);
});

test('a process of our own namespace is told to be in no pod', async (t) => {
  const json = await mapJson(['--pid', String(process.pid), '0']);
  t.is(json.levels.length, 2);
  t.regex(json.notes[0] ?? '', /is in (?:the initial user namespace|your own user namespace)/);
});

/** A process in a user namespace within another, each mapping its creator to root. */
async function startNested(): Promise<{child: ChildProcess; pid: number}> {
  const child = spawn('unshare', ['-Ur', 'sh', '-c', 'unshare -Ur sh -c "echo up; exec sleep 60" & wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const isUp = await Promise.race([
    new Promise<boolean>((resolve) => {
      child.stdout.once('data', () => resolve(true));
      child.once('close', () => resolve(false));
      child.once('error', () => resolve(false));
    }),
    sleep(10_000, false, {ref: false}),
  ]);
  if (!isUp || child.pid === undefined) throw new Error('no nested user namespace came up');
  let pid = child.pid;
  for (;;) {
    const next = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    if (next === '') return {child, pid};
    pid = Number(next);
  }
}

hostTest('userns')('a nested process shows every namespace between us and it', async (t) => {
  const {child, pid} = await startNested();
  t.teardown(() => process.kill(-(child.pid ?? 0), 'SIGKILL'));
  const json = await mapJson(['--pid', String(pid), '0']);
  const inode = Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/user`))?.[0]);
  t.is(json.levels.length, 3);
  t.is(json.levels[2]?.inode, inode);
  t.deepEqual(json.levels[2]?.uid, [{containerId: 0, hostId: 0, size: 1}]);
  t.deepEqual(json.translations[0]?.pieces[0]?.result, {first: process.getuid?.(), last: process.getuid?.()});
  t.regex(json.notes.join('\n'), /reader's namespace \(yours\)/);
});
