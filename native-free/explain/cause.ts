import {type ErrorLayer, printable} from '../errors.ts';

/** Who refused. Wider than the layers of our own errors: other tools' messages come from here too. */
export type CauseLayer =
  | ErrorLayer
  | 'seccomp'
  | 'cgroup'
  | 'kubelet'
  | 'API server'
  | 'container engine'
  | 'file permissions'
  | 'program';

/**
 * One reason why something fails, known by the key of its table. Texts are sentences without a full stop; `{name|what else}` is a value
 * taken from the message, or the words behind the bar when the message does not have it.
 */
export interface Cause {
  readonly layer: CauseLayer;
  /** What is so, and by which rule. */
  readonly why: string;
  /** What to do about it, the safer way first. */
  readonly mend: string;
  /** Commands that only look, and show whether it is so. */
  readonly look: readonly string[];
}

/** Values taken from a message, by name. */
export type CauseValues = Readonly<Record<string, string | undefined>>;

/** A text of a cause with the values of a message; what a message says is `printable` afterwards. Never throws. */
export function fillCause(template: string, values: CauseValues = {}): string {
  return template.replace(/\{(\w+)\|([^{}]*)\}/g, (_, name: string, fallback: string) => {
    const value = values[name]?.trim();
    return value === undefined || value === '' ? fallback : printable(value);
  });
}
