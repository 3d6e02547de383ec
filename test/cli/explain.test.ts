import test from 'ava';
import {explainErrno} from '../../native-free/explain/explain-errno.ts';
import {checkAll} from '../../src/cli/explain-report.ts';
import {explainSchema} from '../../src/cli/explain-schema.ts';
import {readQuestion} from '../../src/cli/explain-words.ts';
import {goodUser} from '../src/doctor-facts.ts';
import {runCli} from './run-cli.ts';
import {findSchemaFaults} from './validate-schema.ts';

interface ExplainJson {
  readonly kind: string;
  readonly explained: boolean;
  readonly explanations: readonly {readonly id: string; readonly here: {readonly verdict: string} | null}[];
  readonly unknown: {readonly next: readonly string[]; readonly errnos: readonly string[]} | null;
}

async function json(args: readonly string[], input = ''): Promise<{exitCode: number | null; value: ExplainJson}> {
  const {exitCode, stdout, stderr} = await runCli(['explain', ...args, '-o', 'json'], {}, input);
  const value = JSON.parse(stdout) as ExplainJson;
  if (stderr !== '') throw new Error(stderr);
  return {exitCode, value};
}

test('a message is explained from words and from standard input, held against this machine, and the JSON fits its schema', async (t) => {
  const message = 'newuidmap: uid range [0-65536) -> [600000-665536) not allowed';
  const [asWord, asInput, offline] = await Promise.all([
    json([message]),
    json([], `${message}\n`),
    json(['--offline', message]),
  ]);
  for (const {exitCode, value} of [asWord, asInput, offline]) {
    t.is(exitCode, 0);
    t.deepEqual(findSchemaFaults(explainSchema, value), []);
    t.true(value.explanations.some(({id}) => id === 'subid-range-not-granted'));
    t.is(value.unknown, null);
  }
  t.true(offline.value.explanations.every(({here}) => here === null));
  if (process.platform === 'linux') t.true(asWord.value.explanations.some(({here}) => here !== null));
  t.deepEqual(
    asWord.value.explanations.map(({id}) => id),
    asInput.value.explanations.map(({id}) => id),
  );
});

test('an errno is explained with its operation in both spellings, by name and number', async (t) => {
  const [words, flags, number] = await Promise.all([
    json(['--offline', 'EPERM', 'mount', 'proc']),
    json(['--offline', '--errno', 'eperm', '--op', 'mount:proc']),
    json(['--offline', '--errno', '1', '--op', 'mount', 'proc']),
  ]);
  for (const {exitCode, value} of [words, flags, number]) {
    t.is(exitCode, 0);
    t.is(value.kind, 'errno');
    t.is(value.explanations[0]?.id, 'proc-masked');
  }
});

test('a code of ours is explained; one that is unknown names those of its subject', async (t) => {
  const [known, unknown] = await Promise.all([
    json(['--offline', 'SUBROOT_SUBID_NOT_GRANTED']),
    json(['SUBROOT_SUBID_NONEE']),
  ]);
  t.is(known.exitCode, 0);
  t.deepEqual(
    known.value.explanations.slice(0, 2).map(({id}) => id),
    ['SUBROOT_SUBID_NOT_GRANTED', 'subid-range-not-granted'],
  );
  t.is(unknown.exitCode, 1);
  t.deepEqual(findSchemaFaults(explainSchema, unknown.value), []);
  t.regex(
    unknown.value.unknown?.next.join(' ') ?? '',
    /did you mean `subroot explain SUBROOT_SUBID_NONE`.*SUBROOT_SUBID_MALFORMED/,
  );
});

test('what nobody knows is said, with what to run next and exit code 1', async (t) => {
  const [text, errno, call] = await Promise.all([
    json(['the flux capacitor: Permission denied']),
    json(['EPERM']),
    json(['EPERM', 'mont', 'proc']),
  ]);
  for (const {exitCode, value} of [text, errno, call]) {
    t.is(exitCode, 1);
    t.false(value.explained);
    t.deepEqual(value.explanations, []);
    t.deepEqual(findSchemaFaults(explainSchema, value), []);
  }
  t.deepEqual(text.value.unknown?.errnos, ['EACCES']);
  t.regex(text.value.unknown?.next.join(' ') ?? '', /subroot explain EACCES .*subroot doctor.*strace.*dmesg/);
  t.regex(errno.value.unknown?.next.join(' ') ?? '', /mount proc/);
  t.regex(call.value.unknown?.next[0] ?? '', /did you mean `subroot explain EPERM mount`/);
});

test('the text for people has layer, why, mend and what to look at, within 80 columns but for commands', async (t) => {
  const {exitCode, stdout} = await runCli(['explain', '--offline', 'ping: socket: Operation not permitted']);
  t.is(exitCode, 0);
  t.regex(stdout, /^ping-group-range$/m);
  for (const label of ['said', 'layer', 'why', 'to mend', 'look']) t.regex(stdout, new RegExp(`^ {2}${label} `, 'm'));
  for (const line of stdout.split('\n')) t.true(line.length <= 80 || line.includes('`'), line);
});

test('what this machine rules out comes last, and what it confirms first', (t) => {
  const facts = {...goodUser, unprivilegedUsernsClone: 0};
  const checked = checkAll(explainErrno('EPERM', 'unshare', 'user').explanations, facts);
  t.is(checked[0]?.id, 'userns-sysctl');
  t.is(checked[0]?.here?.verdict, 'confirmed');
  t.is(checked.at(-1)?.here?.verdict, 'refuted');
  t.true(checked.findIndex(({id}) => id === 'seccomp-filter') < checked.findIndex(({id}) => id === 'userns-apparmor'));
});

const refused: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['/etc/passwd'], /whose view of \/etc\/passwd/],
  [['--op', 'mount:proc'], /--op without --errno/],
  [['--errno', 'EPREM'], /did you mean EPERM/],
  [['--errno', '9999'], /cannot be "9999"/],
  [['--pod', 'x', '--errno', 'EPERM', '/x'], /--pod, --pid and --map go with a path/],
  [['--pod', 'x'], /look at one path/],
  [['--user', '0', 'x'], /--user and -c go with a path/],
  [['relative', '--map', '0 1 1'], /is no full path/],
  [['/x', '--map', '0 1 1', '--pid', '1'], /--pid and --map exclude each other/],
  [['/x', '--map', '0 100000 5', '--user', '7'], /uid 7 has no place in the id map/],
  [['/x', '--map', '0 100000 5', '--user', '0:0:0'], /--user cannot be/],
  [['/x', '--map', 'zero'], /cannot read the id map --map/],
];

for (const [args, message] of refused) {
  test(`explain ${args.join(' ')} is refused as usage`, async (t) => {
    const {exitCode, stdout, stderr} = await runCli(['explain', ...args]);
    t.is(exitCode, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, message);
  });
}

test('nothing on standard input is no message', async (t) => {
  const {exitCode, stderr} = await runCli(['explain'], {}, ' \n');
  t.is(exitCode, 2);
  t.regex(stderr, /no message to explain/);
});

test('words are read as what they look like', (t) => {
  const none = {hasView: false};
  t.deepEqual(readQuestion(['EPERM', 'mount proc'], none), {
    kind: 'errno',
    errno: 'EPERM',
    call: 'mount',
    about: 'proc',
  });
  t.deepEqual(readQuestion(['-'], none), {kind: 'stdin'});
  t.deepEqual(readQuestion(['bwrap:', 'no'], none), {kind: 'text', text: 'bwrap: no'});
  t.deepEqual(readQuestion(['/a b: no'], none), {kind: 'text', text: '/a b: no'});
  t.deepEqual(readQuestion(['/a'], {hasView: true}), {kind: 'path', path: '/a'});
});
