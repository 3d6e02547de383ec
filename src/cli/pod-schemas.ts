/** JSON Schema of what the commands that work on pods print with `-o json`; see schemas.ts for the others. */

import {count, id, list, mapping, object, oneOf, optional, type Schema, text, titled} from './schema-words.ts';

const labels: Schema = {type: 'object', additionalProperties: text};
const nanoseconds: Schema = {type: 'string', pattern: '^[0-9]+$'};
const block = object({first: id, size: count});
const side = object({pod: text, host: text, differs: {type: 'boolean'}});
const fileIds = object({podUid: id, podGid: id, hostUid: id, hostGid: id});

const podMetadata = object({name: text, namespace: text, uid: text, attempt: count});

const life = object({
  supervised: {type: 'boolean'},
  phase: oneOf('Pending', 'Running', 'Succeeded', 'Failed'),
  status: text,
  ready: optional(object({count, total: count})),
  restarts: count,
  conditions: optional(
    list(
      object({
        type: oneOf('Initialized', 'ContainersReady', 'Ready'),
        status: oneOf('True', 'False'),
        reason: optional(text),
        message: optional(text),
      }),
    ),
  ),
});

export const podsSchema = titled(
  'subroot pods',
  object({
    items: list(
      object({
        id: text,
        metadata: podMetadata,
        state: oneOf('SANDBOX_READY', 'SANDBOX_NOTREADY'),
        createdAt: nanoseconds,
        labels,
        annotations: labels,
        runtimeHandler: text,
        mode: oneOf('host', 'subid', 'single'),
        pid: optional(count),
        block: optional(block),
        life,
        containers: list(object({id: text, name: text, state: text, restarts: count})),
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
        resources: object({linux: {type: 'object'}}),
        user: {type: 'object'},
      },
      ['resources', 'user'],
    ),
    info: object({pid: count, startTime: text, sandboxID: text, argv: list(text)}, ['pid', 'startTime']),
  }),
);

export const inspectPodSchema = titled(
  'subroot inspectp',
  object({
    status: object({
      id: text,
      metadata: podMetadata,
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
        life,
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
    volumes: list(
      object(
        {
          name: text,
          kind: text,
          path: text,
          ids: oneOf('shifted', 'given', 'nobody', 'node'),
          memory: object({sizeBytes: optional(count)}),
          files: list(object({path: text, mode: text, bytes: count})),
        },
        ['memory', 'files'],
      ),
    ),
    parts: list(object({what: text, argv: list(text), steps: list(list(text))})),
  },
  ['userNamespace'],
);

export const runSchema = titled('subroot run', {
  oneOf: [
    object({
      pods: list(
        object(
          {
            id: text,
            name: text,
            namespace: text,
            uid: text,
            mode: oneOf('host', 'subid', 'single'),
            reason: text,
            readyMs: {type: 'number'},
            block: optional(block),
            evidence,
            containers: list(object({id: text, name: text, exitCode: count, restarts: count})),
          },
          ['containers'],
        ),
      ),
    }),
    object({plans: list(plan)}),
  ],
});

const ended = object({kind: oneOf('pod', 'container'), id: text, name: text, namespace: text});

export const endedSchema = titled(
  'subroot stop, stopp, rm, rmp',
  object({stopped: list(ended), removed: list(ended)}, ['stopped', 'removed']),
);

export const gcSchema = titled(
  'subroot gc',
  object({
    removed: list(object({kind: text, what: text, why: text})),
    quarantined: list(object({what: text, why: text})),
  }),
);
