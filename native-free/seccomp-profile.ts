import {type CapabilityName, parseCapability} from './capability.ts';
import {errnoNumber, isErrno} from './errno.ts';
import {subrootError} from './errors.ts';
import {nearest} from './nearest.ts';

/**
 * A seccomp profile as OCI and Docker write it in JSON.
 * Source: opencontainers/runtime-spec config-linux.md "Seccomp", 1.2; moby profiles/seccomp/seccomp.go, 28.
 */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly flags: readonly SeccompFlag[];
  /** In the order of the file: of the rules with arguments for one call, the first that matches decides. */
  readonly rules: readonly SeccompRule[];
}

/** What a filter answers to a system call. `value` is an errno, or what a tracer is told. */
export type SeccompAction =
  | {readonly kind: 'allow' | 'log' | 'trap' | 'kill-thread' | 'kill-process'}
  | {readonly kind: 'errno' | 'trace'; readonly value: number};

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** All must hold; of two that look at one argument, either. Empty: always. */
  readonly conditions: readonly SeccompCondition[];
  readonly includes: SeccompScope;
  readonly excludes: SeccompScope;
}

/** A comparison of one argument as an unsigned 64-bit number. With `MASKED_EQ`, `value` is the mask. */
export interface SeccompCondition {
  /** 0 to 5. */
  readonly index: number;
  readonly op: SeccompOperator;
  readonly value: bigint;
  readonly valueTwo: bigint;
}

export type SeccompOperator = 'NE' | 'LT' | 'LE' | 'EQ' | 'GE' | 'GT' | 'MASKED_EQ';
export type SeccompFlag = 'TSYNC' | 'LOG' | 'SPEC_ALLOW';

/** Where a rule counts: with these capabilities, on these architectures (`amd64`, `arm64`), from a kernel on. */
export interface SeccompScope {
  readonly capabilities: readonly CapabilityName[];
  readonly architectures: readonly string[];
  readonly minKernel?: readonly [major: number, minor: number];
}

const actionKinds: Readonly<Record<string, SeccompAction['kind']>> = {
  SCMP_ACT_ALLOW: 'allow',
  SCMP_ACT_LOG: 'log',
  SCMP_ACT_ERRNO: 'errno',
  SCMP_ACT_TRACE: 'trace',
  SCMP_ACT_TRAP: 'trap',
  SCMP_ACT_KILL: 'kill-thread',
  SCMP_ACT_KILL_THREAD: 'kill-thread',
  SCMP_ACT_KILL_PROCESS: 'kill-process',
};
const operators: readonly SeccompOperator[] = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];
const flagNames: readonly SeccompFlag[] = ['TSYNC', 'LOG', 'SPEC_ALLOW'];
const maxUint64 = 2n ** 64n - 1n;
/** MAX_ERRNO: what a filter may say at most. Source: kernel/seccomp.c __seccomp_filter(), 6.18. */
const maxErrno = 4095;

/**
 * The profile of a JSON value. Numbers past 2^53 must come as bigint. A field that is not known is an error, not dropped: it may have been meant
 * to forbid something. `source` is its name for messages. Throws SUBROOT_SECCOMP_PROFILE naming the field.
 */
export function parseSeccompProfile(value: unknown, source: string): SeccompProfile {
  const reader = new Reader(source, '', value);
  const defaultErrno = readErrno(reader, 'defaultErrnoRet', 'defaultErrno') ?? 1;
  const defaultAction = readAction(reader, 'defaultAction', defaultErrno);
  // What is compiled for is this machine's own architecture; calls of another end the process, listed or not.
  for (const name of reader.strings('architectures')) requireArchitecture(reader, 'architectures', name);
  for (const entry of reader.objects('archMap')) {
    requireArchitecture(entry, 'architecture', entry.string('architecture') ?? '');
    for (const name of entry.strings('subArchitectures') ?? []) requireArchitecture(entry, 'subArchitectures', name);
    entry.finish();
  }
  const flags = reader.strings('flags').map((flag): SeccompFlag => {
    const name = flag.replace(/^SECCOMP_FILTER_FLAG_/, '') as SeccompFlag;
    if (flagNames.includes(name)) return name;
    throw reader.bad('flags', `${flag} is not supported; there is SECCOMP_FILTER_FLAG_${flagNames.join(', _')}`);
  });
  const rules = reader.objects('syscalls').map((entry) => readRule(entry, defaultErrno));
  reader.finish();
  return {defaultAction, flags, rules};
}

function readRule(entry: Reader, defaultErrno: number): SeccompRule {
  const name = entry.string('name');
  const names = [...(name === undefined ? [] : [name]), ...entry.strings('names')];
  if (names.length === 0) throw entry.bad('names', 'no system call is named');
  const action = readAction(entry, 'action', readErrno(entry, 'errnoRet', 'errno') ?? defaultErrno);
  const conditions = entry.objects('args').map((argument): SeccompCondition => {
    const index = argument.number('index');
    if (index === undefined || index < 0n || index > 5n)
      throw argument.bad('index', 'an argument has a number from 0 to 5');
    const word = argument.string('op') ?? '';
    const op = word.replace(/^SCMP_CMP_/, '') as SeccompOperator;
    if (!word.startsWith('SCMP_CMP_') || !operators.includes(op))
      throw argument.bad('op', `${word || 'nothing'} is no comparison; there is SCMP_CMP_${operators.join(', _')}`);
    const condition = {
      index: Number(index),
      op,
      value: argument.number('value') ?? 0n,
      valueTwo: argument.number('valueTwo') ?? 0n,
    };
    argument.finish();
    return condition;
  });
  const rule = {
    names,
    action,
    conditions,
    includes: readScope(entry.object('includes')),
    excludes: readScope(entry.object('excludes')),
  };
  entry.ignore('comment');
  entry.finish();
  return rule;
}

function readScope(reader: Reader | undefined): SeccompScope {
  if (!reader) return {capabilities: [], architectures: []};
  const capabilities = reader.strings('caps').map((name) => {
    const capability = parseCapability(name);
    if (capability === undefined) throw reader.bad('caps', `there is no capability ${name}`);
    return capability;
  });
  const architectures = reader.strings('arches');
  const kernel = reader.string('minKernel');
  reader.finish();
  if (kernel === undefined || kernel === '') return {capabilities, architectures};
  const [, major, minor] = /^(\d{1,3})\.(\d{1,3})(?:\.\d+)?$/.exec(kernel) ?? [];
  if (major === undefined || minor === undefined)
    throw reader.bad('minKernel', `${kernel} is no version like 4.8 of a kernel`);
  return {capabilities, architectures, minKernel: [Number(major), Number(minor)]};
}

function readAction(reader: Reader, field: string, value: number): SeccompAction {
  const word = reader.string(field);
  if (word === undefined) throw reader.bad(field, 'it is missing');
  if (word === 'SCMP_ACT_NOTIFY') throw reader.bad(field, 'SCMP_ACT_NOTIFY asks a listener, and subroot has none');
  const kind = actionKinds[word];
  if (kind === undefined) {
    const near = nearest(word, Object.keys(actionKinds));
    throw reader.bad(field, `there is no action ${word}${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  return kind === 'errno' || kind === 'trace' ? {kind, value} : {kind};
}

function readErrno(reader: Reader, field: string, nameField: string): number | undefined {
  const number = reader.number(field);
  const name = reader.string(nameField);
  if (number !== undefined) {
    if (number > maxErrno) throw reader.bad(field, `an errno is at most ${maxErrno}, and this is ${number}`);
    return Number(number);
  }
  if (name === undefined || name === '') return undefined;
  if (!isErrno(name))
    throw reader.bad(nameField, `no errno of the name ${name} is known here; write its number as ${field}`);
  return errnoNumber(name);
}

function requireArchitecture(reader: Reader, field: string, name: string): void {
  if (!/^SCMP_ARCH_[A-Z0-9_]+$/.test(name))
    throw reader.bad(field, `${name || 'nothing'} is no architecture like SCMP_ARCH_X86_64`);
}

/** Reads the fields of one JSON object once each, and refuses the rest. */
class Reader {
  readonly #source: string;
  readonly #path: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  constructor(source: string, path: string, value: unknown) {
    this.#source = source;
    this.#path = path;
    this.#fields = {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.bad('', 'it is not an object');
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  bad(field: string, why: string): Error {
    const path = [this.#path, field].filter(Boolean).join('.') || 'the whole of it';
    return subrootError('SUBROOT_SECCOMP_PROFILE', {source: this.#source, field: path, why});
  }

  #take(name: string): unknown {
    this.#known.add(name);
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  string(name: string): string | undefined {
    const value = this.#take(name);
    if (value !== undefined && typeof value !== 'string') throw this.bad(name, 'it is not text');
    return value;
  }

  /** An unsigned 64-bit number. */
  number(name: string): bigint | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      throw this.bad(name, `${value} is no whole number, or one that JSON cannot hold exactly`);
    if (typeof value !== 'number' && typeof value !== 'bigint') throw this.bad(name, 'it is not a number');
    const number = BigInt(value);
    if (number < 0n || number > maxUint64) throw this.bad(name, `${number} is not in 0 to 2^64 - 1`);
    return number;
  }

  #list(name: string): readonly unknown[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value)) throw this.bad(name, 'it is not a list');
    return value;
  }

  strings(name: string): string[] {
    return this.#list(name).map((item, index) => {
      if (typeof item !== 'string') throw this.bad(`${name}[${index}]`, 'it is not text');
      return item;
    });
  }

  object(name: string): Reader | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : new Reader(this.#source, this.#pathOf(name), value);
  }

  objects(name: string): Reader[] {
    return this.#list(name).map((item, index) => new Reader(this.#source, this.#pathOf(`${name}[${index}]`), item));
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  ignore(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name);
  }

  finish(): void {
    for (const name of Object.keys(this.#fields)) {
      if (this.#known.has(name)) continue;
      const near = nearest(name, this.#known);
      throw this.bad(name, `there is no such field${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
  }
}
