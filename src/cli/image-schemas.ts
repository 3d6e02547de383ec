/** JSON Schema of what the commands for images print with `-o json`; see schemas.ts for the others. */

import {count, list, object, type Schema, text, titled} from './schema-words.ts';

const texts = list(text);
const uint64: Schema = {type: 'string', pattern: '^[0-9]+$'};
const nanoseconds = uint64;
const int64Value = object({value: uint64});

const image = object(
  {
    id: text,
    repoTags: texts,
    repoDigests: texts,
    size: uint64,
    uid: int64Value,
    username: text,
    pinned: {type: 'boolean'},
  },
  ['uid'],
);

export const imagesSchema = titled('subroot images', object({images: list(image)}));

export const pullSchema = titled('subroot pull', object({images: list(image)}));

export const importSchema = titled('subroot import', object({images: list(image)}));

export const inspectImageSchema = titled(
  'subroot inspecti',
  object({
    status: image,
    info: object({
      manifest: text,
      platform: object({os: text, architecture: text, variant: text}, ['variant']),
      created: text,
      config: object({Entrypoint: texts, Cmd: texts, Env: texts, WorkingDir: text, User: text, StopSignal: text}),
      layers: list(object({digest: text, diffId: text, size: count, views: texts})),
    }),
  }),
);

export const removeImageSchema = titled(
  'subroot rmi',
  object({
    removed: list(object({id: text, names: texts})),
    freedBytes: count,
    isBusy: {type: 'boolean'},
  }),
);

const usage = object({
  timestamp: nanoseconds,
  fsId: object({mountpoint: text}),
  usedBytes: object({value: uint64}),
  inodesUsed: object({value: uint64}),
});

export const imageFsInfoSchema = titled(
  'subroot imagefsinfo',
  object({status: object({imageFilesystems: list(usage), containerFilesystems: list(usage)})}),
);
