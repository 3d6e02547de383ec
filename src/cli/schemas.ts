/** JSON Schema (2020-12) of what `-o json` prints, per command. docs/cli.md says the same as tables; a test holds real output against these. */

type Schema = Readonly<Record<string, unknown>>;

const id: Schema = {type: 'integer', minimum: 0, maximum: 4_294_967_295};
const text: Schema = {type: 'string'};
const count: Schema = {type: 'integer', minimum: 0};
const optional = (schema: Schema): Schema => ({anyOf: [schema, {type: 'null'}]});
const list = (items: Schema): Schema => ({type: 'array', items});
const oneOf = (...values: readonly (string | number)[]): Schema => ({enum: values});

/** Every property is required unless it is named in `may`; nothing else is allowed. */
function object(properties: Readonly<Record<string, Schema>>, may: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !may.includes(name));
  return {type: 'object', properties, required, additionalProperties: false};
}

function titled(title: string, schema: Schema): Schema {
  return {$schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema};
}

const range = object({first: id, last: id});
const mapping = object({containerId: id, hostId: id, size: count});
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
    },
    ['tries'],
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

const labels: Schema = {type: 'object', additionalProperties: text};
const nanoseconds: Schema = {type: 'string', pattern: '^[0-9]+$'};
const block = object({first: id, size: count});
const side = object({pod: text, host: text, differs: {type: 'boolean'}});
const fileIds = object({podUid: id, podGid: id, hostUid: id, hostGid: id});

export const podsSchema = titled(
  'subroot pods',
  object({
    items: list(
      object({
        id: text,
        metadata: object({name: text, namespace: text, uid: text}),
        state: oneOf('SANDBOX_READY', 'SANDBOX_NOTREADY'),
        createdAt: nanoseconds,
        mode: oneOf('host', 'subid', 'single'),
        pid: optional(count),
        block: optional(block),
        containers: list(object({id: text, name: text, state: text})),
      }),
    ),
  }),
);

const image = object({image: text, userSpecifiedImage: text}, ['userSpecifiedImage']);
const containerMetadata = object({name: text, attempt: count});
const containerState = oneOf('CONTAINER_CREATED', 'CONTAINER_RUNNING', 'CONTAINER_EXITED', 'CONTAINER_UNKNOWN');

export const psSchema = titled(
  'subroot ps',
  object({
    containers: list(
      object({
        id: text,
        podSandboxId: text,
        metadata: containerMetadata,
        image,
        imageRef: text,
        state: containerState,
        createdAt: nanoseconds,
        labels,
        annotations: labels,
      }),
    ),
  }),
);

export const logsSchema = titled(
  'subroot logs',
  object({records: list(object({time: text, stream: oneOf('stdout', 'stderr'), partial: {type: 'boolean'}, text}))}),
);

export const inspectSchema = titled(
  'subroot inspect',
  object({
    status: object(
      {
        id: text,
        metadata: containerMetadata,
        state: containerState,
        createdAt: nanoseconds,
        startedAt: nanoseconds,
        finishedAt: nanoseconds,
        exitCode: count,
        image,
        imageRef: text,
        reason: text,
        message: text,
        labels,
        annotations: labels,
        mounts: list({type: 'object'}),
        logPath: text,
        user: {type: 'object'},
      },
      ['user'],
    ),
    info: object({pid: count, startTime: text, sandboxID: text, argv: list(text)}, ['pid', 'startTime']),
  }),
);

export const inspectPodSchema = titled(
  'subroot inspectp',
  object({
    status: object({
      id: text,
      metadata: object({name: text, uid: text, namespace: text, attempt: count}),
      state: oneOf('SANDBOX_READY', 'SANDBOX_NOTREADY'),
      createdAt: nanoseconds,
      labels,
      annotations: labels,
      runtimeHandler: text,
      network: object({ip: text}),
      linux: {type: 'object'},
    }),
    info: object(
      {
        pid: count,
        startTime: text,
        mode: text,
        bound: {type: 'boolean'},
        map: object({uid: list(mapping), gid: list(mapping)}),
      },
      ['pid', 'startTime'],
    ),
  }),
);

const evidence = object({
  mode: oneOf('host', 'subid', 'single'),
  hostMeans: oneOf('host', 'caller'),
  userNamespace: side,
  uidMap: side,
  gidMap: side,
  process: object({pid: count, podUid: id, podGid: id, hostUid: id, hostGid: id}),
  file: fileIds,
  isolated: {type: 'boolean'},
});

const plan = object(
  {
    pod: text,
    mode: text,
    reason: text,
    userNamespace: object({owner: object({uid: id, gid: id}), uidMap: text, gidMap: text}),
    tools: list(list(text)),
    parts: list(object({what: text, argv: list(text), steps: list(list(text))})),
  },
  ['userNamespace'],
);

export const runSchema = titled('subroot run', {
  oneOf: [
    object({
      pods: list(
        object({
          id: text,
          name: text,
          namespace: text,
          uid: text,
          mode: oneOf('host', 'subid', 'single'),
          reason: text,
          readyMs: {type: 'number'},
          block: optional(block),
          evidence,
        }),
      ),
    }),
    object({plans: list(plan)}),
  ],
});

export const removedSchema = titled(
  'subroot stop, stopp, rm, rmp',
  object({stopped: list(text), removed: list(text)}, ['stopped', 'removed']),
);

export const gcSchema = titled(
  'subroot gc',
  object({
    removed: list(object({kind: text, what: text, why: text})),
    quarantined: list(object({what: text, why: text})),
  }),
);
