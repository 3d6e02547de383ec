import test from 'ava';
import fc from 'fast-check';
import {type BpfInstruction, encodeBpf} from '../../native-free/bpf-code.ts';
import {
  allCapabilities,
  type CapabilityName,
  defaultCapabilities,
  noCapabilities,
} from '../../native-free/capability.ts';
import {defaultSeccompJson, defaultSeccompProfile} from '../../native-free/default-seccomp-profile.ts';
import {SubrootError} from '../../native-free/errors.ts';
import {
  parseSeccompProfile,
  type SeccompAction,
  type SeccompCondition,
  type SeccompProfile,
  type SeccompRule,
} from '../../native-free/seccomp-profile.ts';
import {auditArchitectures, compileSeccomp, type SeccompFacts} from '../../native-free/seccomp-program.ts';
import {isSyscallName, syscallsOf} from '../../native-free/syscalls.ts';
import {runBpf} from '../helpers/bpf-machine.ts';

const [ALLOW, LOG, KILL_PROCESS, KILL_THREAD, TRAP] = [0x7fff0000, 0x7ffc0000, 0x80000000, 0, 0x30000];
const errno = (number: number) => 0x50000 + number;
const [EPERM, ENOSYS] = [errno(1), errno(38)];

const facts: SeccompFacts = {architecture: 'x64', kernel: [6, 18], capabilities: defaultCapabilities, source: 'test'};
const x64 = syscallsOf('x64');
const numberOf = (name: string) => x64.get(name) ?? Number.NaN;

function answerOf(program: readonly BpfInstruction[], name: string | number, args: readonly bigint[] = []): number {
  const number = typeof name === 'number' ? name : numberOf(name);
  return runBpf(program, {
    number,
    architecture: auditArchitectures.x64,
    args: [...args, 0n, 0n, 0n, 0n, 0n, 0n].slice(0, 6),
  }).answer;
}

// ── an evaluation of the profile by its words, which shares nothing with the compiler

function answerValueOf(action: SeccompAction): number {
  const values = {allow: ALLOW, log: LOG, 'kill-process': KILL_PROCESS, 'kill-thread': KILL_THREAD, trap: TRAP};
  if (action.kind === 'errno') return errno(action.value);
  return action.kind === 'trace' ? 0x7ff00000 + action.value : values[action.kind];
}

function holds({index, op, value, valueTwo}: SeccompCondition, args: readonly bigint[]): boolean {
  const arg = args[index] ?? 0n;
  if (op === 'MASKED_EQ') return (arg & value) === valueTwo;
  return {NE: arg !== value, LT: arg < value, LE: arg <= value, EQ: arg === value, GE: arg >= value, GT: arg > value}[
    op
  ];
}

function counts(rule: SeccompRule, {architecture, kernel, capabilities}: SeccompFacts): boolean {
  const arch = architecture === 'x64' ? 'amd64' : 'arm64';
  const {includes, excludes} = rule;
  const since = (version: readonly [number, number]) => kernel[0] * 1000 + kernel[1] >= version[0] * 1000 + version[1];
  return (
    (includes.architectures.length === 0 || includes.architectures.includes(arch)) &&
    includes.capabilities.every((name) => capabilities.has(name)) &&
    (includes.minKernel === undefined || since(includes.minKernel)) &&
    !excludes.architectures.includes(arch) &&
    !excludes.capabilities.some((name) => capabilities.has(name)) &&
    (excludes.minKernel === undefined || !since(excludes.minKernel))
  );
}

function expected(profile: SeccompProfile, where: SeccompFacts, number: number, args: readonly bigint[]): number {
  const table = syscallsOf(where.architecture);
  const name = [...table].find(([, each]) => each === number)?.[0];
  if (where.architecture === 'x64' && number >= 0x40000000) return ENOSYS;
  if (name === undefined) {
    const isLenient = ['allow', 'log', 'trace'].includes(profile.defaultAction.kind);
    return isLenient ? answerValueOf(profile.defaultAction) : ENOSYS;
  }
  const rules = profile.rules.filter((rule) => rule.names.includes(name) && counts(rule, where));
  const matched = rules.find(({conditions}) => {
    if (conditions.length === 0) return false;
    const twice = conditions.some(({index}, at) => conditions.findIndex((other) => other.index === index) !== at);
    return twice ? conditions.some((each) => holds(each, args)) : conditions.every((each) => holds(each, args));
  });
  return answerValueOf(
    (matched ?? rules.find(({conditions}) => conditions.length === 0))?.action ?? profile.defaultAction,
  );
}

// ── random profiles

const names = ['read', 'write', 'clone', 'socket', 'openat', 'execve', 'mseal', 'ioctl', 'uretprobe', '_llseek'];
const word = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 40n, 0xffffffffn, 0x100000000n, 0x100000028n, 2n ** 64n - 1n, 2n ** 63n, 0x7e020000n),
  fc.bigInt({min: 0n, max: 2n ** 64n - 1n}),
);
const action: fc.Arbitrary<SeccompAction> = fc.oneof(
  fc.constantFrom<SeccompAction>(
    {kind: 'allow'},
    {kind: 'log'},
    {kind: 'trap'},
    {kind: 'kill-thread'},
    {kind: 'kill-process'},
  ),
  fc.record({kind: fc.constantFrom<'errno' | 'trace'>('errno', 'trace'), value: fc.integer({min: 0, max: 4095})}),
);
const condition: fc.Arbitrary<SeccompCondition> = fc.record({
  index: fc.integer({min: 0, max: 5}),
  op: fc.constantFrom('NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'),
  value: word,
  valueTwo: word,
});
const scope = fc.record(
  {
    capabilities: fc.subarray<CapabilityName>(['CAP_SYS_ADMIN', 'CAP_CHOWN']),
    architectures: fc.subarray(['amd64', 'arm64']),
    minKernel: fc.tuple(fc.integer({min: 4, max: 7}), fc.integer({min: 0, max: 20})),
  },
  {requiredKeys: ['capabilities', 'architectures']},
);
const rule: fc.Arbitrary<SeccompRule> = fc.record({
  names: fc.subarray(names, {minLength: 1}),
  action,
  conditions: fc.array(condition, {maxLength: 3}),
  includes: fc.oneof({weight: 4, arbitrary: fc.constant({capabilities: [], architectures: []})}, scope),
  excludes: fc.oneof({weight: 4, arbitrary: fc.constant({capabilities: [], architectures: []})}, scope),
});
const profile: fc.Arbitrary<SeccompProfile> = fc.record({
  defaultAction: action,
  flags: fc.constant([]),
  rules: fc.array(rule, {maxLength: 12}),
});
const somewhere: fc.Arbitrary<SeccompFacts> = fc.record({
  architecture: fc.constantFrom('x64', 'arm64'),
  kernel: fc.tuple(fc.integer({min: 4, max: 7}), fc.integer({min: 0, max: 20})),
  capabilities: fc.constantFrom(defaultCapabilities, allCapabilities, noCapabilities),
  source: fc.constant('test'),
});
const number = fc.oneof(
  fc.constantFrom(...names.flatMap((name) => [syscallsOf('x64').get(name) ?? 1, syscallsOf('arm64').get(name) ?? 1])),
  fc.integer({min: 0, max: 500}),
  fc.constantFrom(0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, 0xffffffff),
);

test('a compiled filter answers every call as the profile says by its words', (t) => {
  fc.assert(
    fc.property(
      profile,
      somewhere,
      fc.array(fc.tuple(number, fc.array(word, {minLength: 6, maxLength: 6})), {minLength: 20, maxLength: 20}),
      (given, where, calls) => {
        const {program} = compileSeccomp(given, where);
        const architecture = auditArchitectures[where.architecture];
        for (const [each, args] of calls) {
          const {answer} = runBpf(program, {number: each, architecture, args});
          if (answer !== expected(given, where, each, args))
            throw new Error(
              `call ${each}(${args}): ${answer.toString(16)}, not ${expected(given, where, each, args).toString(16)}`,
            );
        }
      },
    ),
    {numRuns: 400},
  );
  t.pass();
});

test('RuntimeDefault answers every number of both architectures as the profile says', (t) => {
  const interesting = [0n, 1n, 2n, 38n, 40n, 41n, 47n, 48n, 0x10000000n, 0x100000026n, 0x100000028n, 0xffffffffn, 0x8n];
  for (const architecture of ['x64', 'arm64'] as const) {
    for (const capabilities of [defaultCapabilities, allCapabilities]) {
      const where = {...facts, architecture, capabilities};
      const {program} = compileSeccomp(defaultSeccompProfile(), where);
      for (let each = 0; each < 520; each += 1) {
        for (const first of interesting) {
          const args = [first, 0n, 0n, 0n, 0n, 0n];
          const {answer} = runBpf(program, {number: each, architecture: auditArchitectures[architecture], args});
          t.is(answer, expected(defaultSeccompProfile(), where, each, args), `${architecture} ${each}(${first})`);
        }
      }
    }
  }
});

test('a filter over all numbers, each with its own answer, is a tree: no call takes more than 20 instructions', (t) => {
  const rules = [...x64.keys()].map((name, index) => ({
    names: [name],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: (index % 4000) + 1,
  }));
  const given = parseSeccompProfile({defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules}, 'test');
  const {program} = compileSeccomp(given, facts);
  t.true(program.length < 1200, String(program.length));
  for (const [name, each] of x64) {
    const {answer, steps} = runBpf(program, {number: each, architecture: auditArchitectures.x64, args: []});
    t.is(answer, expected(given, facts, each, []), name);
    t.true(steps <= 20, `${name} took ${steps}`);
  }
});

test('a profile of more than 4096 instructions is refused before the kernel sees it', (t) => {
  const args = Array.from({length: 1500}, (_, value) => ({
    names: ['ioctl'],
    action: 'SCMP_ACT_ALLOW',
    args: [{index: 1, op: 'SCMP_CMP_EQ', value}],
  }));
  const given = parseSeccompProfile({defaultAction: 'SCMP_ACT_ERRNO', syscalls: args}, 'big.json');
  t.throws(() => compileSeccomp(given, facts), {
    instanceOf: SubrootError,
    code: 'SUBROOT_SECCOMP_PROFILE',
    message: /seccomp profile test: syscalls: its filter would have \d+ instructions, and the kernel takes 4096/,
  });
});

test('calls of i386 and arm end the process, and x32 numbers are ENOSYS, also where the profile allows all', (t) => {
  const {program} = compileSeccomp(parseSeccompProfile({defaultAction: 'SCMP_ACT_ALLOW'}, 'test'), facts);
  for (const architecture of [0x40000003, 0x40000028, 0xc00000b7, 0])
    t.is(runBpf(program, {number: 0, architecture, args: []}).answer, KILL_PROCESS);
  t.is(answerOf(program, 0x40000000), ENOSYS);
  t.is(answerOf(program, 0x40000000 + numberOf('write')), ENOSYS);
  t.is(answerOf(program, 0x3fffffff), ALLOW);
});

// ── RuntimeDefault by its meaning

test('RuntimeDefault allows what programs do and holds back what belongs to a capability', (t) => {
  const compiled = (...add: CapabilityName[]) =>
    compileSeccomp(defaultSeccompProfile(), {...facts, capabilities: new Set([...defaultCapabilities, ...add])})
      .program;
  const plain = compiled();
  for (const name of ['read', 'openat', 'execve', 'futex', 'wait4', 'chown', 'setuid', 'ptrace', 'chroot', 'seccomp'])
    t.is(answerOf(plain, name), ALLOW, name);
  for (const name of [
    'mount',
    'umount2',
    'unshare',
    'setns',
    'bpf',
    'perf_event_open',
    'keyctl',
    'add_key',
    'kexec_load',
    'reboot',
  ])
    t.is(answerOf(plain, name), EPERM, name);
  for (const name of ['io_uring_setup', 'userfaultfd', 'pivot_root', 'init_module', 'swapon', 'settimeofday', 'syslog'])
    t.is(answerOf(plain, name), EPERM, name);
  for (const name of ['io_uring_setup', 'userfaultfd', 'kexec_load'])
    t.is(answerOf(compiled('CAP_SYS_ADMIN'), name), EPERM, name);
  for (const name of ['mount', 'unshare', 'setns', 'bpf', 'clone3'])
    t.is(answerOf(compiled('CAP_SYS_ADMIN'), name), ALLOW, name);
  t.is(answerOf(compiled('CAP_BPF'), 'bpf'), ALLOW);
  t.is(answerOf(compiled('CAP_BPF'), 'mount'), EPERM);
  t.is(answerOf(compiled('CAP_SYS_PTRACE'), 'process_vm_readv'), ALLOW);
  t.is(answerOf(compiled('CAP_SYS_TIME'), 'settimeofday'), ALLOW);
  t.is(answerOf(plain, 'clone3'), ENOSYS);
  t.is(answerOf(plain, 'clone', [0x3d0f00n]), ALLOW, 'a thread');
  t.is(answerOf(plain, 'clone', [0x10000011n]), EPERM, 'CLONE_NEWUSER');
  t.is(answerOf(compiled('CAP_SYS_ADMIN'), 'clone', [0x10000011n]), ALLOW);
  for (const family of [1n, 2n, 10n, 16n, 17n, 39n, 41n, 44n])
    t.is(answerOf(plain, 'socket', [family]), ALLOW, `family ${family}`);
  for (const family of [38n, 40n, 48n]) t.is(answerOf(plain, 'socket', [family]), EPERM, `family ${family}`);
  t.is(answerOf(plain, 'socket', [2n ** 32n + 40n]), EPERM, 'the kernel looks at the lower half only');
  t.is(answerOf(plain, 'personality', [0xffffffffn]), ALLOW);
  t.is(answerOf(plain, 'personality', [0x40000n]), EPERM, 'ADDR_NO_RANDOMIZE');
  t.is(answerOf(plain, 480), ENOSYS, 'a number that no kernel has yet');
});

test('RuntimeDefault names real calls only, and each on one of the two architectures', (t) => {
  for (const entry of defaultSeccompJson.syscalls) {
    for (const name of entry.names) {
      t.true(isSyscallName(name), name);
      t.true(x64.has(name) || syscallsOf('arm64').has(name), name);
    }
  }
});

// ── meaning of profiles

test('of two conditions for one argument either is enough, of two arguments both must hold', (t) => {
  const {program} = compileSeccomp(
    parseSeccompProfile(
      {
        defaultAction: 'SCMP_ACT_ERRNO',
        syscalls: [
          {
            names: ['read'],
            action: 'SCMP_ACT_ALLOW',
            args: [
              {index: 0, op: 'SCMP_CMP_EQ', value: 1},
              {index: 0, op: 'SCMP_CMP_EQ', value: 2},
            ],
          },
          {
            names: ['write'],
            action: 'SCMP_ACT_ALLOW',
            args: [
              {index: 0, op: 'SCMP_CMP_EQ', value: 1},
              {index: 1, op: 'SCMP_CMP_GT', value: 2},
            ],
          },
        ],
      },
      'test',
    ),
    facts,
  );
  t.deepEqual(
    [[1n], [2n], [3n]].map((args) => answerOf(program, 'read', args)),
    [ALLOW, ALLOW, EPERM],
  );
  t.deepEqual(
    [
      [1n, 3n],
      [1n, 2n],
      [2n, 3n],
    ].map((args) => answerOf(program, 'write', args)),
    [ALLOW, EPERM, EPERM],
  );
});

test('a rule without arguments is what the rules with arguments leave, wherever it stands', (t) => {
  const deny = {
    names: ['socket'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: 97,
    args: [{index: 0, op: 'SCMP_CMP_EQ', value: 40}],
  };
  const allow = {names: ['socket'], action: 'SCMP_ACT_ALLOW'};
  for (const syscalls of [
    [deny, allow],
    [allow, deny],
  ]) {
    const {program} = compileSeccomp(
      parseSeccompProfile({defaultAction: 'SCMP_ACT_KILL_PROCESS', syscalls}, 'test'),
      facts,
    );
    t.is(answerOf(program, 'socket', [40n]), errno(97));
    t.is(answerOf(program, 'socket', [2n]), ALLOW);
    t.is(answerOf(program, 'read'), KILL_PROCESS);
    t.is(answerOf(program, 400), ENOSYS);
  }
});

test('a name that no architecture has is refused where the rule forbids, and left out where it allows', (t) => {
  const rule = (action: string, name = 'unshrae') => ({names: [name], action});
  const allowing = parseSeccompProfile({defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule('SCMP_ACT_ALLOW')]}, 'p.json');
  t.deepEqual(compileSeccomp(allowing, facts).ignored, ['unshrae']);
  const forbidding = parseSeccompProfile(
    {defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule('SCMP_ACT_ERRNO')]},
    'p.json',
  );
  t.throws(() => compileSeccomp(forbidding, facts), {
    code: 'SUBROOT_SECCOMP_PROFILE',
    message:
      /test: syscalls: there is no system call unshrae \(did you mean unshare\?\), and the rule is there to forbid it/,
  });
  const elsewhere = parseSeccompProfile(
    {defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule('SCMP_ACT_KILL', 'socketcall')]},
    'p.json',
  );
  t.deepEqual(compileSeccomp(elsewhere, facts).ignored, ['socketcall']);
});

// ── the form

const refusals: readonly (readonly [string, unknown, RegExp])[] = [
  ['no object', [], /the whole of it: it is not an object/],
  ['no default', {}, /defaultAction: it is missing/],
  ['an unknown action', {defaultAction: 'SCMP_ACT_ALOW'}, /no action SCMP_ACT_ALOW; did you mean SCMP_ACT_ALLOW\?/],
  ['a listener', {defaultAction: 'SCMP_ACT_NOTIFY'}, /asks a listener/],
  [
    'an unknown field',
    {defaultAction: 'SCMP_ACT_ALLOW', syscals: []},
    /syscals: there is no such field; did you mean syscalls\?/,
  ],
  [
    'a flag',
    {defaultAction: 'SCMP_ACT_ALLOW', flags: ['SECCOMP_FILTER_FLAG_NEW_LISTENER']},
    /flags: .*NEW_LISTENER is not supported/,
  ],
  ['an architecture', {defaultAction: 'SCMP_ACT_ALLOW', architectures: ['x86']}, /x86 is no architecture/],
  [
    'no names',
    {defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{action: 'SCMP_ACT_ERRNO'}]},
    /syscalls\[0\]\.names: no system call is named/,
  ],
  ['an errno', {defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 5000}, /at most 4095, and this is 5000/],
  [
    'an operator',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{names: ['read'], action: 'SCMP_ACT_KILL', args: [{index: 0, op: 'EQ'}]}],
    },
    /syscalls\[0\]\.args\[0\]\.op: EQ is no comparison/,
  ],
  [
    'an argument',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{names: ['read'], action: 'SCMP_ACT_KILL', args: [{index: 6, op: 'SCMP_CMP_EQ'}]}],
    },
    /args\[0\]\.index: an argument has a number from 0 to 5/,
  ],
  [
    'a number that JSON cannot hold',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{names: ['read'], action: 'SCMP_ACT_KILL', args: [{index: 0, value: 2 ** 60, op: 'SCMP_CMP_EQ'}]}],
    },
    /args\[0\]\.value: .*no whole number, or one that JSON cannot hold exactly/,
  ],
  [
    'a capability',
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{names: ['read'], action: 'SCMP_ACT_KILL', includes: {caps: ['CAP_X']}}],
    },
    /includes\.caps: there is no capability CAP_X/,
  ],
];

for (const [what, value, message] of refusals) {
  test(`a profile with ${what} is refused with the field`, (t) => {
    t.throws(() => parseSeccompProfile(value, 'p.json'), {
      instanceOf: SubrootError,
      code: 'SUBROOT_SECCOMP_PROFILE',
      message,
    });
  });
}

test('any JSON value is a profile or a refusal that names the field', (t) => {
  const near = fc.record(
    {
      defaultAction: fc.oneof(fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'), fc.jsonValue()),
      defaultErrnoRet: fc.jsonValue(),
      architectures: fc.oneof(fc.array(fc.constantFrom('SCMP_ARCH_X86_64', 'SCMP_ARCH_X32')), fc.jsonValue()),
      flags: fc.jsonValue(),
      syscalls: fc.oneof(
        fc.array(
          fc.record(
            {
              names: fc.oneof(fc.array(fc.constantFrom('read', 'write', 'x')), fc.jsonValue()),
              name: fc.jsonValue(),
              action: fc.oneof(fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_KILL'), fc.jsonValue()),
              args: fc.jsonValue(),
              includes: fc.jsonValue(),
            },
            {requiredKeys: []},
          ),
        ),
        fc.jsonValue(),
      ),
    },
    {requiredKeys: []},
  );
  fc.assert(
    fc.property(fc.oneof(near, fc.jsonValue()), (value) => {
      try {
        compileSeccomp(parseSeccompProfile(value, 'p.json'), facts);
      } catch (error) {
        if (!(error instanceof SubrootError) || error.code !== 'SUBROOT_SECCOMP_PROFILE') throw error;
      }
    }),
    {numRuns: 1000},
  );
  t.pass();
});

test('an errno may be given by name, a call by the old field `name`, and a number as bigint', (t) => {
  const given = parseSeccompProfile(
    {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrno: 'ENOSYS',
      syscalls: [
        {
          name: 'read',
          action: 'SCMP_ACT_ALLOW',
          comment: 'why',
          args: [{index: 2, value: 2n ** 64n - 1n, op: 'SCMP_CMP_EQ'}],
        },
        {names: ['write'], action: 'SCMP_ACT_ERRNO', errno: 'EACCES'},
      ],
    },
    'test',
  );
  const {program} = compileSeccomp(given, facts);
  t.is(answerOf(program, 'read', [0n, 0n, 2n ** 64n - 1n]), ALLOW);
  t.is(answerOf(program, 'read', [0n, 0n, 2n ** 32n - 1n]), ENOSYS);
  t.is(answerOf(program, 'write'), errno(13));
  t.is(answerOf(program, 'openat'), ENOSYS);
});

test('an instruction is eight little-endian bytes', (t) => {
  t.is(encodeBpf([{code: 0x15, jt: 1, jf: 2, k: 0xc000003e}]), '150001023e0000c0');
});
