import {formatIdMap, type IdMap, parseIdMap} from '../../native-free/id-map.ts';
import {readIdMapText} from '../host/proc.ts';
import {CannotTry} from './attempt.ts';

/** A map on one line: `0 100000 65536, 65536 …`. */
export function shownMap(map: IdMap): string {
  return formatIdMap(map).trim().replaceAll('\n', ', ') || '(empty)';
}

/** The map of a process as we see it. Throws CannotTry when it is gone or may not be read. */
export function mapOf(pid: number, file: 'uid_map' | 'gid_map'): IdMap {
  const text = readIdMapText(pid, file);
  const parsed = text === undefined ? undefined : parseIdMap(text, {untranslated: 'keep'});
  if (!parsed?.ok) throw new CannotTry(`/proc/${pid}/${file} cannot be read`);
  return parsed.map;
}

/** Ids that are no host ids of a pod's map. */
export function idsOutside(ids: readonly number[], map: IdMap): number[] {
  return ids.filter((id) => !map.some(({hostId, size}) => id >= hostId && id < hostId + size));
}
