import {count, list, object, oneOf, optional, text, titled} from './schema-words.ts';

/** JSON Schema of `subroot explain` for texts, errnos and codes. */
export const explainSchema = titled(
  'subroot explain',
  object({
    kind: oneOf('text', 'errno', 'code'),
    asked: text,
    explained: {type: 'boolean'},
    explanations: list(
      object({
        id: text,
        layer: text,
        why: text,
        mend: text,
        look: list(text),
        confidence: oneOf('sure', 'likely', 'possible'),
        foundBy: text,
        here: optional(object({verdict: oneOf('confirmed', 'refuted', 'open'), observed: text})),
      }),
    ),
    unknown: optional(
      object({
        why: text,
        errnos: list(text),
        lookedFor: optional(object({messages: count, operations: count})),
        next: list(text),
      }),
    ),
  }),
);
