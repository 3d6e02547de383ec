/** A user or group id as the kernel knows it: 0…4294967294. 4294967295 is (uid_t)-1 and never an id. Source: user_namespaces(7). */
export type Id = number & {readonly __brand: 'Id'};

/** (uid_t)-1: "leave unchanged" in setresuid(2) and chown(2); shown in uid_map for an id without translation. */
export const INVALID_ID = 4_294_967_295;
/** What an unmapped id is shown as by stat(2) and getuid(2). Source: kernel.overflowuid, default since 2.4. */
export const OVERFLOW_ID = 65_534;
/** The highest id that can be mapped. Source: kernel/user_namespace.c map_write(), read in 6.18. */
export const MAX_ID = 4_294_967_294;
/** Lines in one id map. Source: UID_GID_MAP_MAX_EXTENTS, since 4.15. */
export const MAX_EXTENTS = 340;
/** The unit in which the kubelet hands out ids, and its default `idsPerPod`. */
export const BLOCK_SIZE = 65_536;

/** True for whole numbers 0…4294967294. */
export function isId(value: unknown): value is Id {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_ID;
}

/** Id of a decimal text without sign, space or leading zero trouble ("007" is 7), or undefined when it is none. */
export function parseId(text: string): Id | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  return isId(value) ? value : undefined;
}
