import {errorRegister} from '../error-register.ts';
import type {ErrorCode, ErrorEntry} from '../errors.ts';
import {type Explanation, explanationsOf} from './explanation.ts';
import {causesOfCodes} from './own-errors.ts';

/** Whether a word is a code of the register. */
export function isErrorCode(word: string): word is ErrorCode {
  return Object.hasOwn(errorRegister, word);
}

/** What a code of ours says, and what stands behind it on the machine. Values that are not known stand as `‹name›`. */
export function explainCode(
  code: ErrorCode,
  details: Readonly<Record<string, string | number>> = {},
): readonly Explanation[] {
  const entry: ErrorEntry = errorRegister[code];
  const fill = (text: string): string =>
    text.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? `‹${name}›`));
  const own: Explanation = {
    id: code,
    layer: entry.layer,
    why: fill(entry.message),
    mend: fill(entry.mend),
    look: [],
    confidence: 'sure',
    foundBy: code,
    values: {},
  };
  const behind = explanationsOf(causesOfCodes[code] ?? [], code);
  return [
    own,
    ...behind.map((each): Explanation => (each.confidence === 'sure' ? {...each, confidence: 'likely'} : each)),
  ];
}
