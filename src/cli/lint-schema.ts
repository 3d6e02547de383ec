import {count, list, object, oneOf, optional, text, titled} from './schema-words.ts';

const severity = oneOf('error', 'warning', 'info');
const boolean = {type: 'boolean'} as const;
const place = {
  line: {type: 'integer', minimum: 1},
  column: {type: 'integer', minimum: 1},
  endColumn: {type: 'integer', minimum: 2},
};
const outcome = oneOf('honoured', 'ignored', 'pending', 'rejected');
const layer = oneOf('API server', 'kubelet', 'CRI runtime', 'OCI runtime', 'kernel', 'scheduler', 'manifest');
const level = oneOf('privileged', 'baseline', 'restricted');

const finding = object(
  {rule: text, severity, file: text, ...place, path: text, workload: text, message: text, mend: text},
  ['endColumn', 'workload'],
);

const capability = object(
  {
    capability: text,
    from: oneOf('added', 'default', 'privileged'),
    worth: oneOf('works', 'partly', 'void'),
    inside: text,
    risk: text,
    drop: text,
  },
  ['risk', 'drop'],
);

const review = object(
  {
    workload: text,
    file: text,
    ...place,
    hostUsers: optional(boolean),
    outcome,
    why: text,
    verdict: oneOf('ready', 'look', 'blocked'),
    blockers: list(object({...place, path: text, outcome, layer, why: text, change: text}, ['endColumn'])),
    cautions: list(object({...place, path: text, why: text}, ['endColumn'])),
    assumed: list(text),
    capabilities: list(object({container: text, items: list(capability)})),
    podSecurity: object({
      version: text,
      level,
      levelWithUserns: level,
      failed: list(object({check: text, level: oneOf('baseline', 'restricted'), why: text})),
      waived: list(text),
    }),
    steps: list(object({title: text, why: text, command: text}, ['command'])),
  },
  ['endColumn'],
);

const rule = object({id: text, title: text, severity, about: text, versions: text, text});

export const lintSchema = titled(
  'subroot lint',
  object(
    {
      files: list(text),
      findings: list(finding),
      counts: object({error: count, warning: count, info: count}),
      reviews: list(review),
      rules: list(rule),
    },
    ['files', 'findings', 'counts', 'reviews', 'rules'],
  ),
);
