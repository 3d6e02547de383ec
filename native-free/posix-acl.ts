import {INVALID_ID} from './ids.ts';
import type {AccessAcl} from './inode-access.ts';

/** Tags of an entry. Source: include/uapi/linux/posix_acl.h. */
const ACL_USER = 2;
const ACL_GROUP_OBJ = 4;
const ACL_GROUP = 8;
const ACL_MASK = 16;
const VERSION = 2;

/**
 * The extended part of system.posix_acl_access, given as hexadecimal: version 2, then entries of tag, bits and id, little-endian. Entries whose
 * id has no name for the reader (4294967295) are left out. undefined: it is no such attribute, or it has no mask and so is no more than the mode.
 */
export function parsePosixAcl(hex: string): AccessAcl | undefined {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex) || (hex.length - 8) % 16 !== 0 || readNumber(hex, 0, 4) !== VERSION)
    return undefined;
  const users: {uid: number; bits: number}[] = [];
  const groups: {gid: number; bits: number}[] = [];
  let group = 0;
  let mask: number | undefined;
  for (let at = 4; at * 2 < hex.length; at += 8) {
    const tag = readNumber(hex, at, 2);
    const bits = readNumber(hex, at + 2, 2) & 7;
    const id = readNumber(hex, at + 4, 4);
    if (tag === ACL_USER && id !== INVALID_ID) users.push({uid: id, bits});
    if (tag === ACL_GROUP && id !== INVALID_ID) groups.push({gid: id, bits});
    if (tag === ACL_GROUP_OBJ) group = bits;
    if (tag === ACL_MASK) mask = bits;
  }
  return mask === undefined ? undefined : {users, groups, group, mask};
}

/** A little-endian number of `count` bytes. */
function readNumber(hex: string, offset: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index -= 1)
    value = value * 256 + Number.parseInt(hex.slice((offset + index) * 2, (offset + index) * 2 + 2), 16);
  return value;
}
