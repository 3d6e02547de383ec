import {errorRegister} from './error-register.ts';

/** Who must act: the caller, the writer of a file, the machine's admin, a tool, the caller's order of calls, or we. */
export type ErrorKind = 'usage' | 'config' | 'host' | 'tool' | 'state' | 'internal';

/** The part of the system that refused. Every message names it, because all of them look like EPERM from outside. */
export type ErrorLayer =
  | 'command line'
  | 'manifest'
  | 'allocator'
  | 'state folder'
  | 'kernel'
  | 'kernel limit'
  | 'LSM'
  | 'newuidmap policy'
  | 'subordinate ids'
  | 'file system'
  | 'image'
  | 'registry'
  | 'container'
  | 'agent'
  | 'terminal'
  | 'target';

/** CRI (gRPC) status a code answers with; only NOT_FOUND, DEADLINE_EXCEEDED and UNIMPLEMENTED are acted on by the kubelet. */
export type GrpcStatus =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'FAILED_PRECONDITION'
  | 'RESOURCE_EXHAUSTED'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'INTERNAL'
  | 'UNKNOWN';

export interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly layer: ErrorLayer;
  /** What went wrong and why, with `{name}` for each value. */
  readonly message: string;
  /** How to mend it, with the same values; a command where there is one. */
  readonly mend: string;
  readonly grpc?: GrpcStatus;
}

export type ErrorCode = keyof typeof errorRegister;

type Placeholder<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;
/** The values a code's message and mend name; all are required. */
export type ErrorDetails<Code extends ErrorCode> = Readonly<
  Record<Placeholder<(typeof errorRegister)[Code]['message'] | (typeof errorRegister)[Code]['mend']>, string | number>
>;

/**
 * Text that is safe on a terminal: control characters, bidirectional overrides and lone surrogates become `\xNN` or `\u{N}`.
 * Everything a container, a file or a user wrote goes through here before it is shown.
 */
export function printable(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (
      (code >= 0x200b && code <= 0x200f) ||
      (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069) ||
      code === 0xfeff ||
      (code >= 0xd800 && code <= 0xdfff)
    )
      out += `\\u{${code.toString(16)}}`;
    else out += character;
  }
  return out;
}

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name];
    return value === undefined ? whole : printable(String(value));
  });
}

/** An error of ours: a stable `code`, the values in `details`, the `layer` that refused and the `mend`. */
export class SubrootError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly layer: ErrorLayer;
  readonly mend: string;
  readonly grpc: GrpcStatus;
  readonly details: Readonly<Record<string, string | number>>;
  /** One line: what and why. `message` adds the mend and the code. */
  readonly shortMessage: string;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>>, cause?: unknown) {
    const entry: ErrorEntry = errorRegister[code];
    const short = fill(entry.message, details);
    const mend = fill(entry.mend, details);
    super(`${short}\nTo mend: ${mend} [${code}]`, cause === undefined ? undefined : {cause});
    this.name = new.target.name;
    this.code = code;
    this.kind = entry.kind;
    this.layer = entry.layer;
    this.mend = mend;
    this.grpc = entry.grpc ?? 'UNKNOWN';
    this.details = details;
    this.shortMessage = short;
  }
}

/** The caller asked for something that cannot be meant. */
export class UsageError extends SubrootError {}
/** A file the user wrote (manifest, subordinate-id file, configuration) is wrong. */
export class ConfigError extends SubrootError {}
/** This machine lacks something. */
export class HostError extends SubrootError {}
/** A program we ran failed; `details` hold its argv, exit code and output. */
export class ToolError extends SubrootError {}
/** The thing is not in a state that allows this. */
export class StateError extends SubrootError {}
/** A bug of ours. */
export class InternalError extends SubrootError {}

const classOfKind = {
  usage: UsageError,
  config: ConfigError,
  host: HostError,
  tool: ToolError,
  state: StateError,
  internal: InternalError,
} as const;

/** The error of a code in the register; `details` must name every value of its message and mend. */
export function subrootError<Code extends ErrorCode>(
  code: Code,
  details: ErrorDetails<Code>,
  cause?: unknown,
): SubrootError {
  return new classOfKind[errorRegister[code].kind](code, details, cause);
}
