import {type CauseLayer, type CauseValues, fillCause} from './cause.ts';
import {type CauseId, causes} from './causes.ts';

/** `sure`: the message has one meaning. `likely`: the first of several. `possible`: one of several. */
export type Confidence = 'sure' | 'likely' | 'possible';

/** One answer to "why". All texts are safe to print, and sentences without a full stop. */
export interface Explanation {
  /** A cause's id, or a code of ours. */
  readonly id: string;
  readonly layer: CauseLayer;
  readonly why: string;
  readonly mend: string;
  /** Commands that only look. */
  readonly look: readonly string[];
  readonly confidence: Confidence;
  /** What it was found by: the part of the text, or the operation and the errno. */
  readonly foundBy: string;
  /** What the message says by name, as it stands there. */
  readonly values: CauseValues;
}

/** The explanation by a cause of the table, with the values of a message. */
export function explanationOf(
  id: CauseId,
  found: {readonly confidence: Confidence; readonly foundBy: string; readonly values?: CauseValues},
): Explanation {
  const {layer, why, mend, look} = causes[id];
  const {confidence, foundBy, values = {}} = found;
  return {
    id,
    layer,
    why: fillCause(why, values),
    mend: fillCause(mend, values),
    look: look.map((command) => fillCause(command, values)),
    confidence,
    foundBy,
    values,
  };
}

/** The explanations by causes in the order of their likelihood. */
export function explanationsOf(
  ids: readonly CauseId[],
  foundBy: string,
  values: CauseValues = {},
): readonly Explanation[] {
  return ids.map((id, index) =>
    explanationOf(id, {
      confidence: ids.length === 1 ? 'sure' : index === 0 ? 'likely' : 'possible',
      foundBy,
      values,
    }),
  );
}
