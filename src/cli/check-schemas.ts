/** JSON Schema (2020-12) of reports of checks; docs/check-report.schema.json is the same for others to use. */

import {count, id, list, mapping, object, oneOf, type Schema, text, titled} from './schema-words.ts';

const texts: Schema = {type: 'object', additionalProperties: text};
const truth: Schema = {type: 'boolean'};
const outcome = oneOf('blocked', 'not-blocked', 'inconclusive', 'not-possible', 'by-design', 'works', 'broken');
const arm = oneOf('control-all', 'control-default', 'treatment-all', 'treatment-default');
const checkClass = oneOf('U', 'K', 'invariant', 'usable', 'by-design');
const group: Schema = {type: 'integer', minimum: 1, maximum: 8};
const references = list(
  object({
    kind: oneOf('CVE', 'ATT&CK', 'NIST', 'CIS Kubernetes', 'CIS Docker', 'Kubernetes', 'kernel'),
    id: text,
    confirmed: truth,
  }),
);

const result = object({
  id: text,
  title: text,
  group,
  class: checkClass,
  outcome,
  reason: text,
  expected: texts,
  arms: list(
    object(
      {
        arm,
        ended: oneOf('succeeded', 'refused', 'failed'),
        errno: text,
        reached: truth,
        observations: list(object({did: text, errno: text, value: text}, ['errno', 'value'])),
        attacker: object({
          pid: count,
          startTime: text,
          uid: id,
          gid: id,
          groups: list(id),
          userNamespace: count,
          capabilities: {type: 'string', pattern: '^[0-9a-f]{16}$'},
        }),
        why: text,
      },
      ['errno', 'reached', 'attacker', 'why'],
    ),
  ),
  evidence: texts,
  references,
  durationMs: {type: 'number', minimum: 0},
});

const report = object(
  {
    schema: oneOf('urn:subroot:check-report:1'),
    subroot: text,
    target: object({
      target: text,
      version: text,
      abilities: {type: 'object', additionalProperties: truth},
      notes: list(text),
    }),
    pods: list(
      object({name: text, pid: count, userNamespace: count, uids: list(mapping), gids: list(mapping), hostUid: id}, [
        'userNamespace',
        'uids',
        'gids',
        'hostUid',
      ]),
    ),
    machine: object({kernel: text, arch: text, cgroup: text, lsm: text}),
    seed: text,
    startedAt: text,
    durationMs: {type: 'number', minimum: 0},
    results: list(result),
    summary: {type: 'object', additionalProperties: count},
  },
  ['pods'],
);

export const reportSchema = titled('a report of checks against one target', report);

export const comparisonSchema = titled('reports of checks against several targets', object({reports: list(report)}));

export const checksSchema = titled(
  'subroot checks',
  object({
    checks: list(
      object({
        id: text,
        kind: oneOf('breakout', 'conformance', 'self'),
        title: text,
        group,
        class: checkClass,
        gain: text,
        attempt: text,
        expected: texts,
        rule: text,
        references,
        needs: list(text),
        abilities: list(text),
        vulnerabilities: list(text),
      }),
    ),
  }),
);

export const cveSchema = titled(
  'subroot cve',
  object({
    vulnerabilities: list(
      object(
        {
          id: text,
          also: list(text),
          where: text,
          mechanism: text,
          effect: oneOf('stops', 'mostly', 'partly', 'not'),
          why: text,
          checks: list(text),
          otherwise: text,
          inKep127: truth,
          beyond: text,
        },
        ['also', 'beyond'],
      ),
    ),
  }),
);
