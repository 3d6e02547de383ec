import type {IdBlock} from './userns-allocator.ts';

/** Larger files are refused unread; the kubelet writes about 130 bytes. */
export const MAX_USERNS_FILE_BYTES = 65_536;

/** One mapping of the file. */
interface Mapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export type UsernsFile =
  | {readonly ok: true; readonly block: IdBlock}
  /** `named` are the ranges that could still be read; they must not be given to anyone. */
  | {readonly ok: false; readonly why: string; readonly named: readonly IdBlock[]};

/** What `formatUsernsFile` writes: read ten thousand times when a full node starts. */
const usualFile = new RegExp(
  '^\\{"uidMappings":\\[\\{"hostId":(\\d{1,10}),"containerId":0,"length":(\\d{1,10})\\}\\],' +
    '"gidMappings":\\[\\{"hostId":(\\d{1,10}),"containerId":0,"length":(\\d{1,10})\\}\\]\\}$',
);

/** The kubelet's file for a pod's block, byte for byte: compact JSON without a newline. */
export function formatUsernsFile(block: IdBlock): string {
  const mapping = `{"hostId":${block.hostId},"containerId":0,"length":${block.size}}`;
  return `{"uidMappings":[${mapping}],"gidMappings":[${mapping}]}`;
}

/**
 * The block that a `userns` file names, by the kubelet's checks 1 to 5 in its order. Never throws.
 * Like Go's JSON: unknown keys are ignored, key case does not matter, missing numbers and null are 0, `1.0` and `1e3` are no uint32.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go parseUserNsFileAndRecord, 1.36; Go encoding/json.
 */
export function parseUsernsFile(text: string): UsernsFile {
  const usual = usualFile.exec(text);
  if (usual && usual[1] === usual[3] && usual[2] === usual[4]) {
    const block = {hostId: Number(usual[1]), size: Number(usual[2])};
    if (block.hostId < 2 ** 32 && block.size < 2 ** 32) return {ok: true, block};
  }
  let uids: Mapping[];
  let gids: Mapping[];
  const named: IdBlock[] = [];
  try {
    const root = readJson(text);
    if (root.value !== null && !isRecord(root.value)) throw new TypeError('expected an object');
    uids = mappingsOf(root, 'uidMappings', named);
    gids = mappingsOf(root, 'gidMappings', named);
  } catch (error) {
    const why = `invalid user namespace mappings file: ${error instanceof Error ? error.message : String(error)}`;
    return {ok: false, why, named};
  }
  const refuse = (why: string): UsernsFile => ({ok: false, why: `invalid user namespace mappings file: ${why}`, named});
  const [uid, ...moreUids] = uids;
  if (!uid || moreUids.length > 0) return refuse(`no more than one mapping allowed, found ${uids.length} for UIDs`);
  const gid = gids[0];
  if (!gid || gids.length !== 1) return refuse(`GID and UID mappings should be identical, found ${gids.length} and 1`);
  if (uid.hostId !== gid.hostId || uid.containerId !== gid.containerId || uid.length !== gid.length) {
    return refuse(`GID and UID mappings should be identical: ${describe(gid)} is not ${describe(uid)}`);
  }
  if (uid.containerId !== 0) return refuse(`UID 0 must be mapped, the mapping begins at ${uid.containerId}`);
  return {ok: true, block: {hostId: uid.hostId, size: uid.length}};
}

function describe(mapping: Mapping): string {
  return `${mapping.containerId} ${mapping.hostId} ${mapping.length}`;
}

interface Json {
  readonly value: unknown;
  /** Numbers are objects with this one key and their literal text, so that `1e3` and `1000` stay apart. */
  readonly numberKey: string;
}

function readJson(text: string): Json {
  // Syntax first: the rewriting below relies on it.
  JSON.parse(text);
  let numberKey = '#';
  while (text.includes(numberKey)) numberKey += '#';
  const rewritten = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? token : `{"${numberKey}":"${token}"}`,
  );
  return {value: JSON.parse(rewritten), numberKey};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A Go struct field: the last key that equals the name without regard to case. */
function fieldOf(value: unknown, name: string): unknown {
  if (!isRecord(value)) return undefined;
  let found: unknown;
  for (const [key, item] of Object.entries(value)) {
    if (key.toLowerCase() === name.toLowerCase() && item !== null) found = item;
  }
  return found;
}

function mappingsOf(json: Json, name: string, named: IdBlock[]): Mapping[] {
  const list = fieldOf(json.value, name);
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw new TypeError(`${name} is not a list`);
  return list.map((item: unknown) => {
    if (item !== null && (!isRecord(item) || json.numberKey in item)) throw new TypeError(`${name} holds no mapping`);
    const mapping = {
      hostId: uint32(json, item, 'hostId'),
      containerId: uint32(json, item, 'containerId'),
      length: uint32(json, item, 'length'),
    };
    named.push({hostId: mapping.hostId, size: mapping.length});
    return mapping;
  });
}

function uint32(json: Json, mapping: unknown, name: string): number {
  const field = fieldOf(mapping, name);
  if (field === undefined) return 0;
  const literal = isRecord(field) ? field[json.numberKey] : undefined;
  if (typeof literal !== 'string' || !/^\d+$/.test(literal) || Number(literal) >= 2 ** 32) {
    throw new TypeError(`${name} is not a number from 0 to 4294967295`);
  }
  return Number(literal);
}
