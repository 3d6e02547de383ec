import {BpfBuilder, type BpfInstruction, type BpfLabel, bpfCode, maxBpfInstructions} from './bpf-code.ts';
import type {CapabilitySet} from './capability.ts';
import {subrootError} from './errors.ts';
import {nearest} from './nearest.ts';
import type {SeccompAction, SeccompCondition, SeccompProfile, SeccompRule, SeccompScope} from './seccomp-profile.ts';
import {isSyscallName, type SyscallArchitecture, syscallsOf} from './syscalls.ts';

/** What a profile's rules ask of the machine and the container. */
export interface SeccompFacts {
  /** `process.arch`. */
  readonly architecture: SyscallArchitecture;
  readonly kernel: readonly [major: number, minor: number];
  /** The container's bounding set. */
  readonly capabilities: CapabilitySet;
  /** The profile's name for messages. */
  readonly source: string;
}

/** What one call is answered: the first alternative whose conditions all hold, else `otherwise`. */
export interface SyscallRule {
  readonly alternatives: readonly {readonly conditions: readonly SeccompCondition[]; readonly action: SeccompAction}[];
  readonly otherwise: SeccompAction;
}

/** Answer values of a filter. Source: include/uapi/linux/seccomp.h, 6.18. */
export function seccompReturnOf(action: SeccompAction): number {
  switch (action.kind) {
    case 'kill-process':
      return 0x80000000;
    case 'kill-thread':
      return 0;
    case 'trap':
      return 0x00030000;
    case 'errno':
      return 0x00050000 + action.value;
    case 'trace':
      return 0x7ff00000 + action.value;
    case 'log':
      return 0x7ffc0000;
    case 'allow':
      return 0x7fff0000;
  }
}

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. Source: include/uapi/linux/audit.h. */
export const auditArchitectures: Readonly<Record<SyscallArchitecture, number>> = {x64: 0xc000003e, arm64: 0xc00000b7};
/** Bit 30 of a number marks the x32 calls of x86-64. Source: arch/x86/include/uapi/asm/unistd.h __X32_SYSCALL_BIT. */
const x32Bit = 0x40000000;
const goNames: Readonly<Record<SyscallArchitecture, string>> = {x64: 'amd64', arm64: 'arm64'};
const ENOSYS = 38;
const refuseUnknown: SeccompAction = {kind: 'errno', value: ENOSYS};

/** `struct seccomp_data`: int nr; u32 arch; u64 instruction_pointer; u64 args[6], little-endian on both architectures. */
const offsets = {number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index};

/** The call is let through: a program goes on after it. */
function isLenient({kind}: SeccompAction): boolean {
  return kind === 'allow' || kind === 'log' || kind === 'trace';
}

/**
 * What a profile answers to each call by number. Calls without a rule get the default action; numbers that no kernel known here has get ENOSYS
 * unless the default lets calls through, so that a program falls back as on an older kernel (as runc does).
 * A name that is of no architecture is left out where the rule would allow more than the default; where it would forbid, a slip of the pen
 * would open what was meant to be shut: SUBROOT_SECCOMP_PROFILE.
 * Source: libseccomp and opencontainers/runc libcontainer/seccomp/seccomp_linux.go matchCall, 1.3.
 */
export function resolveSeccomp(
  profile: SeccompProfile,
  facts: SeccompFacts,
): {
  readonly rules: ReadonlyMap<number, SyscallRule>;
  readonly unknown: SeccompAction;
  readonly ignored: readonly string[];
} {
  const numbers = syscallsOf(facts.architecture);
  const found = new Map<number, {alternatives: SyscallRule['alternatives'][number][]; otherwise?: SeccompAction}>();
  const ignored = new Set<string>();
  for (const rule of profile.rules) {
    if (!isInScope(rule, facts)) continue;
    for (const name of rule.names) {
      const number = numbers.get(name);
      if (number === undefined) {
        if (!isSyscallName(name)) requireKnown(name, rule, profile, facts);
        ignored.add(name);
        continue;
      }
      const entry = found.get(number) ?? {alternatives: []};
      found.set(number, entry);
      if (rule.conditions.length === 0) entry.otherwise ??= rule.action;
      else
        for (const conditions of alternativesOf(rule.conditions))
          entry.alternatives.push({conditions, action: rule.action});
    }
  }
  const rules = new Map(
    [...found].map(([number, {alternatives, otherwise}]): [number, SyscallRule] => [
      number,
      {alternatives, otherwise: otherwise ?? profile.defaultAction},
    ]),
  );
  for (const number of numbers.values())
    if (!rules.has(number)) rules.set(number, {alternatives: [], otherwise: profile.defaultAction});
  const unknown = isLenient(profile.defaultAction) ? profile.defaultAction : refuseUnknown;
  return {rules, unknown, ignored: [...ignored]};
}

function requireKnown(
  name: string,
  rule: SeccompRule,
  profile: SeccompProfile,
  {architecture, source}: SeccompFacts,
): void {
  if (isLenient(rule.action) || !isLenient(profile.defaultAction)) return;
  const near = nearest(name, syscallsOf(architecture).keys());
  throw subrootError('SUBROOT_SECCOMP_PROFILE', {
    source,
    field: 'syscalls',
    why: `there is no system call ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}, and the rule is there to forbid it`,
  });
}

/** One list of conditions of which all must hold; or, when two look at one argument, each alone. */
function alternativesOf(conditions: readonly SeccompCondition[]): readonly (readonly SeccompCondition[])[] {
  const indexes = new Set(conditions.map(({index}) => index));
  return indexes.size === conditions.length ? [conditions] : conditions.map((condition) => [condition]);
}

/** Source: moby profiles/seccomp/seccomp_linux.go setupSeccomp, 28. */
function isInScope({includes, excludes}: SeccompRule, facts: SeccompFacts): boolean {
  const has = (scope: SeccompScope) => scope.architectures.includes(goNames[facts.architecture]);
  const isNewer = ([major, minor]: readonly [number, number]) =>
    facts.kernel[0] > major || (facts.kernel[0] === major && facts.kernel[1] >= minor);
  if (includes.architectures.length > 0 && !has(includes)) return false;
  if (includes.capabilities.some((name) => !facts.capabilities.has(name))) return false;
  if (includes.minKernel && !isNewer(includes.minKernel)) return false;
  if (has(excludes)) return false;
  if (excludes.capabilities.some((name) => facts.capabilities.has(name))) return false;
  return !(excludes.minKernel && isNewer(excludes.minKernel));
}

/** Whether a profile refuses a call whatever its arguments are; false for a name that this architecture does not have. */
export function isRefused(name: string, profile: SeccompProfile, facts: SeccompFacts): boolean {
  const rule = resolveSeccomp(profile, facts).rules.get(syscallsOf(facts.architecture).get(name) ?? -1);
  return rule !== undefined && ![rule.otherwise, ...rule.alternatives.map(({action}) => action)].some(isLenient);
}

export interface SeccompProgram {
  readonly program: readonly BpfInstruction[];
  /** Flags of seccomp(2). */
  readonly flags: number;
  /** Calls that the profile names and this architecture has not. */
  readonly ignored: readonly string[];
}

/**
 * The filter of a profile for this machine: a tree of comparisons over the numbers, at whose leaves the arguments are looked at.
 * A call of another architecture (i386, arm) ends the process, whatever the profile says of it; x32 is ENOSYS, as on a kernel without it.
 * Throws SUBROOT_SECCOMP_PROFILE: see resolveSeccomp, and for a profile that needs more than 4096 instructions.
 */
export function compileSeccomp(profile: SeccompProfile, facts: SeccompFacts): SeccompProgram {
  const {rules, unknown, ignored} = resolveSeccomp(profile, facts);
  const builder = new BpfBuilder();
  const leaves = new Map<string, BpfLabel>();
  const leaf = (rule: SyscallRule): BpfLabel => {
    if (rule.alternatives.length === 0) return builder.return(seccompReturnOf(rule.otherwise));
    const key = keyOf(rule);
    const known = leaves.get(key);
    if (known !== undefined) return known;
    const label = putRule(builder, rule);
    leaves.set(key, label);
    return label;
  };
  const intervals = intervalsOf(rules, unknown);
  const tree = (first: number, last: number): BpfLabel => {
    const only = intervals[first];
    if (first === last && only) return leaf(only.rule);
    const middle = Math.ceil((first + last) / 2);
    const right = tree(middle, last);
    const left = tree(first, middle - 1);
    return builder.branch(bpfCode.jumpIfGreaterOrEqual, intervals[middle]?.from ?? 0, right, left);
  };
  let start = tree(0, intervals.length - 1);
  if (facts.architecture === 'x64') {
    const x32 = builder.return(seccompReturnOf(refuseUnknown));
    start = builder.branch(bpfCode.jumpIfGreaterOrEqual, x32Bit, x32, start);
  }
  start = builder.load(offsets.number, start);
  const foreign = builder.return(seccompReturnOf({kind: 'kill-process'}));
  start = builder.branch(bpfCode.jumpIfEqual, auditArchitectures[facts.architecture], start, foreign);
  builder.load(offsets.architecture, start);
  const program = builder.finish();
  if (program.length > maxBpfInstructions) {
    const why = `its filter would have ${program.length} instructions, and the kernel takes ${maxBpfInstructions}`;
    throw subrootError('SUBROOT_SECCOMP_PROFILE', {source: facts.source, field: 'syscalls', why});
  }
  const flagBits = {TSYNC: 1, LOG: 2, SPEC_ALLOW: 4};
  return {program, flags: [...new Set(profile.flags)].reduce((sum, flag) => sum + flagBits[flag], 0), ignored};
}

function keyOf(rule: SyscallRule): string {
  return JSON.stringify(rule, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** All numbers from 0 on, as runs of one rule: each `from` its first number up to the next one's. */
function intervalsOf(
  rules: ReadonlyMap<number, SyscallRule>,
  unknown: SeccompAction,
): readonly {readonly from: number; readonly rule: SyscallRule}[] {
  const none: SyscallRule = {alternatives: [], otherwise: unknown};
  const intervals: {from: number; rule: SyscallRule; key: string}[] = [];
  const add = (from: number, rule: SyscallRule) => {
    const key = keyOf(rule);
    if (intervals.at(-1)?.key !== key) intervals.push({from, rule, key});
  };
  let next = 0;
  for (const [number, rule] of [...rules].sort(([a], [b]) => a - b)) {
    if (number > next) add(next, none);
    add(number, rule);
    next = number + 1;
  }
  add(next, none);
  return intervals;
}

function putRule(builder: BpfBuilder, rule: SyscallRule): BpfLabel {
  let next = builder.return(seccompReturnOf(rule.otherwise));
  for (const {conditions, action} of rule.alternatives.toReversed()) {
    let label = builder.return(seccompReturnOf(action));
    for (const condition of conditions.toReversed()) label = putCondition(builder, condition, label, next);
    next = label;
  }
  return next;
}

/** A comparison of 64 bits as two of 32, the upper half first. */
function putCondition(
  builder: BpfBuilder,
  {index, op, value, valueTwo}: SeccompCondition,
  yes: BpfLabel,
  no: BpfLabel,
): BpfLabel {
  const low = offsets.argument(index);
  const high = low + 4;
  const [valueHigh, valueLow] = halvesOf(value);
  const {jumpIfEqual, jumpIfGreater, jumpIfGreaterOrEqual} = bpfCode;
  const equal = (ifEqual: BpfLabel, ifNot: BpfLabel) => {
    const lower = builder.load(low, builder.branch(jumpIfEqual, valueLow, ifEqual, ifNot));
    return builder.load(high, builder.branch(jumpIfEqual, valueHigh, lower, ifNot));
  };
  const greater = (code: typeof jumpIfGreater | typeof jumpIfGreaterOrEqual, ifGreater: BpfLabel, ifNot: BpfLabel) => {
    const lower = builder.load(low, builder.branch(code, valueLow, ifGreater, ifNot));
    const same = builder.branch(jumpIfEqual, valueHigh, lower, ifNot);
    return builder.load(high, builder.branch(jumpIfGreater, valueHigh, ifGreater, same));
  };
  switch (op) {
    case 'EQ':
      return equal(yes, no);
    case 'NE':
      return equal(no, yes);
    case 'GT':
      return greater(jumpIfGreater, yes, no);
    case 'GE':
      return greater(jumpIfGreaterOrEqual, yes, no);
    case 'LE':
      return greater(jumpIfGreater, no, yes);
    case 'LT':
      return greater(jumpIfGreaterOrEqual, no, yes);
    case 'MASKED_EQ': {
      const [wantedHigh, wantedLow] = halvesOf(valueTwo);
      const half = (offset: number, mask: number, wanted: number, ifEqual: BpfLabel) =>
        builder.load(offset, builder.and(mask, builder.branch(jumpIfEqual, wanted, ifEqual, no)));
      const lower = half(low, valueLow, wantedLow, yes);
      // Nothing is asked of the upper half of a 32-bit argument.
      return valueHigh === 0 && wantedHigh === 0 ? lower : half(high, valueHigh, wantedHigh, lower);
    }
  }
}

function halvesOf(value: bigint): readonly [high: number, low: number] {
  return [Number(value / 2n ** 32n), Number(value % 2n ** 32n)];
}
