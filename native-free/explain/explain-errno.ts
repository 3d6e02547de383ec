import {type Errno, errnoText} from '../errno.ts';
import type {CauseValues} from './cause.ts';
import {type Explanation, explanationsOf} from './explanation.ts';
import {findOperation} from './operations.ts';

/** What an errno means for an operation, or why that is not known. */
export interface ExplainedErrno {
  readonly errno: Errno;
  /** The name of the operation in the table; undefined when the words are none that it knows. */
  readonly operation: string | undefined;
  /** Empty when the operation is unknown, or is not known to answer with this errno. */
  readonly explanations: readonly Explanation[];
  /** The errnos that the operation is known to answer with. */
  readonly known: readonly Errno[];
}

/** Why `call`, about what the words say, answers with `errno`: `explainErrno('EPERM', 'mount', 'proc')`. Never throws. */
export function explainErrno(errno: Errno, call: string, about: string, values: CauseValues = {}): ExplainedErrno {
  const operation = findOperation(call, about);
  if (operation === undefined) return {errno, operation: undefined, explanations: [], known: []};
  const known = Object.keys(operation.refusals) as Errno[];
  const ids = operation.refusals[errno] ?? [];
  const foundBy = `${operation.name}: ${errno} (${errnoText(errno)})`;
  return {errno, operation: operation.name, explanations: explanationsOf(ids, foundBy, values), known};
}
