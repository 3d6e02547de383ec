import {count, id, list, object, oneOf, optional, text, titled} from './schema-words.ts';

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

const owner = object({uid: optional(id), gid: optional(id)});
const access = object({allowed: {type: 'boolean'}, why: text, cause: optional(text), mend: optional(text)});
const flag = {type: 'boolean'};

/** JSON Schema of `subroot explain PATH`. */
export const explainPathSchema = titled(
  'subroot explain PATH',
  object({
    kind: oneOf('path'),
    asked: text,
    view: object({kind: oneOf('pod', 'pid', 'map'), name: text, pid: optional(count)}),
    user: object({
      uid: optional(id),
      gid: optional(id),
      hostUid: id,
      hostGid: id,
      hostGroups: list(id),
      capabilities: list(text),
    }),
    links: list(object({path: text, target: text})),
    components: list(
      object({
        path: text,
        kind: oneOf('file', 'folder', 'device', 'other'),
        mode: text,
        acl: flag,
        mount: optional(object({point: text, type: text, options: list(text)})),
        onDisk: optional(owner),
        host: owner,
        inside: owner,
        shownAs: object({uid: id, gid: id}),
        search: optional(access),
      }),
    ),
    blockedAt: optional(text),
    stopped: optional(object({path: text, errno: text})),
    may: optional(object({read: access, write: access, execute: access})),
    shifted: optional(object({read: flag, write: flag, execute: flag})),
    notes: list(text),
  }),
);
