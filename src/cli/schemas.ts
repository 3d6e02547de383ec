/** JSON Schema (2020-12) of what `-o json` prints, per command. docs/cli.md says the same as tables; a test holds real output against these. */

import {count, id, list, mapping, object, oneOf, optional, text, titled} from './schema-words.ts';

const range = object({first: id, last: id});
const idKind = oneOf('uid', 'gid');
const modeState = object({works: {type: 'boolean'}, stoppedBy: list(text)});

export const errorSchema = titled(
  'an error, on standard error',
  object({
    error: object({code: text, layer: text, message: text, mend: text, details: {type: 'object'}}),
  }),
);

export const versionSchema = titled(
  'subroot version',
  object({
    version: text,
    node: text,
    kernel: text,
    platform: text,
    agent: object({script: text, digest: text, perl: optional(text)}),
    runtimeApi: oneOf('v1'),
  }),
);

export const doctorSchema = titled(
  'subroot doctor',
  object(
    {
      works: {type: 'boolean'},
      best: oneOf('host', 'subid', 'single', 'simulated'),
      modes: object({host: modeState, subid: modeState, single: modeState, simulated: modeState}),
      findings: list(
        object(
          {
            id: text,
            severity: oneOf('ok', 'warn', 'fail'),
            layer: text,
            found: text,
            expected: text,
            mend: text,
            affects: list(oneOf('host', 'subid', 'single')),
          },
          ['mend'],
        ),
      ),
      tries: list(object({mode: oneOf('host', 'subid', 'single'), works: {type: 'boolean'}, observed: text})),
      mounts: list(
        object({
          point: text,
          type: text,
          source: text,
          answer: oneOf('yes', 'no', 'unknown'),
          why: optional(text),
        }),
      ),
    },
    ['tries', 'mounts'],
  ),
);

const idLine = object({
  accounts: list(object({name: text, id})),
  subordinate: list(object({owner: text, first: id, last: id, count, line: count})),
  namespaces: list(
    object({
      inode: optional(count),
      pid: count,
      processes: count,
      command: text,
      owner: optional(id),
      ranges: list(range),
    }),
  ),
});

export const idsSchema = titled(
  'subroot ids',
  object({
    uid: idLine,
    gid: idLine,
    blocks: list(object({first: id, last: id, kind: text, pod: text})),
    pools: list(object({name: text, first: id, last: id, present: {type: 'boolean'}, source: text})),
    conflicts: list(object({rule: text, kind: idKind, ids: list(range), owners: list(text), why: text, mend: text})),
  }),
);

const step = object({level: count, first: optional(id), last: optional(id)});

export const mapSchema = titled(
  'subroot map',
  object({
    source: object({kind: oneOf('map', 'file', 'pid', 'pod'), name: optional(text), pid: optional(count)}),
    direction: oneOf('to-host', 'to-container'),
    levels: list(
      object({
        level: count,
        label: text,
        inode: optional(count),
        owner: optional(id),
        uid: optional(list(mapping)),
        gid: optional(list(mapping)),
      }),
    ),
    translations: list(
      object({
        kind: idKind,
        asked: range,
        pieces: list(
          object({
            steps: list(step),
            result: optional(range),
            stoppedAt: optional(count),
            shownAs: optional(id),
            errno: optional(text),
          }),
        ),
      }),
    ),
    notes: list(text),
  }),
);

export const mapCheckSchema = titled(
  'subroot map --check',
  object({
    writer: object({uid: id, privileged: {type: 'boolean'}, from: oneOf('parent', 'inside')}),
    accepted: {type: 'boolean'},
    checks: list(
      object({
        level: count,
        file: oneOf('uid_map', 'gid_map'),
        accepted: {type: 'boolean'},
        rules: list(object({rule: text, answer: oneOf('passed', 'refused', 'not reached'), what: text})),
        errno: optional(text),
        why: optional(text),
        mend: optional(text),
        warnings: list(text),
      }),
    ),
  }),
);
