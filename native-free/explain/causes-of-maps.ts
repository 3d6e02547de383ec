import {MAX_ID} from '../ids.ts';
import type {MapRefusal} from '../write-id-map.ts';
import type {Cause} from './cause.ts';

const lookAtMap = [
  'cat /proc/self/uid_map /proc/self/gid_map',
  'subroot map --check --map "INSIDE OUTSIDE COUNT" --as UID',
] as const;
const maps = (why: string, mend: string): Cause => ({layer: 'kernel', why, mend, look: lookAtMap});

/**
 * Why a write to uid_map, gid_map or setgroups is refused: one cause for each rule of the model, by its name. `explainMapWrite` puts the
 * values of a refusal beside the mends of this table. Source: kernel/user_namespace.c map_write(), proc_setgroups_write(), 6.18.
 */
export const causesOfMaps = {
  'idmap-open-read-only': maps(
    'this /proc is mounted read-only, so the file cannot be opened for writing',
    'write through a /proc that is mounted read-write',
  ),
  'idmap-open-owner': {
    layer: 'file permissions',
    why: 'the file cannot be opened for writing: /proc/PID/uid_map belongs to the process, 0644, and to root of its own namespace when it is not dumpable (it changed ids, or runs a program that it may not read)',
    mend: 'open it as the uid of the process, or let the process run a program that it may read first',
    look: ['ls -ln /proc/PID/uid_map', 'grep -E "^(Uid|Gid)" /proc/PID/status'],
  },
  'setgroups-open-sys-admin': maps(
    'setgroups cannot be opened for writing: the opener has no CAP_SYS_ADMIN over the namespace',
    'open it from the parent namespace as its owner, or from inside with CAP_SYS_ADMIN',
  ),
  'idmap-initial-namespace': maps(
    'the process is in the initial user namespace, whose map is fixed',
    'create a user namespace first (unshare --user) and write the map of a process in it',
  ),
  'idmap-opener-namespace': maps(
    'a map is written from the namespace itself or from its direct parent, and the writer is in another one (a grandparent, a sibling)',
    'open the file from the direct parent, for example with nsenter --user into it',
  ),
  'idmap-offset': maps(
    'the map did not come in one write(2) at offset 0: the printf and echo of bash write one line at a time, so the first line is installed, the second fails, and it can never be repaired',
    'write the whole map at once in a new namespace (`printf … | cat > uid_map`); dash, cat and fs.writeFileSync do',
  ),
  'idmap-too-long': maps(
    'the text has 4096 bytes or more',
    'write numbers without padding, or use fewer lines by joining adjacent ranges',
  ),
  'idmap-already-written': maps(
    'the map is written already, and a map is written only once',
    'start a new user namespace for another map',
  ),
  'idmap-sys-admin': maps(
    'the one who opened the file has no CAP_SYS_ADMIN over the namespace and is not its owner in the parent',
    'write as the owner of the namespace from its parent, or with CAP_SYS_ADMIN there',
  ),
  'idmap-syntax': maps(
    'a line is not three decimal numbers',
    'write "INSIDE OUTSIDE COUNT" per line, for example "0 100000 65536", with no blank line, sign, comment or colon',
  ),
  'idmap-invalid-id': maps(
    'a line begins at 4294967295, which is (uid_t)-1 and never an id',
    `use ids up to ${MAX_ID}`,
  ),
  'idmap-no-ids': maps('a line maps 0 ids', 'give a count of 1 or more, or leave the line out'),
  'idmap-past-last-id': maps(
    `a line reaches past ${MAX_ID}, the last id there is (a block of 65536 from 4294901760 does, a 32-bit sum that wraps does)`,
    `let first + count be at most ${MAX_ID + 1}`,
  ),
  'idmap-overlap': maps(
    'two lines share ids, inside or outside',
    'give every id to one line; look for a range that is listed twice in /etc/subuid or /etc/subgid',
  ),
  'idmap-too-many-extents': maps(
    'there are more than 340 lines (5 before Linux 4.15)',
    'join adjacent ranges, or use one large range',
  ),
  'idmap-setfcap': maps(
    "a line maps the parent's id 0, and who writes it (from inside: who created the namespace) has no CAP_SETFCAP over the parent; Linux 5.12 and later",
    "map another id than the parent's 0, or give CAP_SETFCAP to the one who lacks it",
  ),
  'idmap-setid-capability': maps(
    'without CAP_SETUID (gid_map: CAP_SETGID) over the PARENT namespace only one line of one id may be written: the own effective id, by the owner, and for gid_map only after "deny" in setgroups. A process inside the new namespace never has it, not even root that unshared itself',
    'let the parent write it (root directly, others with newuidmap and newgidmap), or map only the own id, with "deny" in setgroups before gid_map',
  ),
  'idmap-parent-unmapped': maps(
    "the outside ids are not all within one line of the parent's own map",
    "choose outside ids that the parent's own map has inside (cat /proc/self/uid_map there)",
  ),
  'setgroups-offset': maps('setgroups is written at offset 0', 'open the file again for each write'),
  'setgroups-too-long': maps('setgroups takes at most 7 bytes', 'write "deny" or "allow"'),
  'setgroups-word': maps(
    'setgroups takes the words "allow" and "deny"',
    'write "deny" or "allow", in lower case with nothing before it',
  ),
  'setgroups-after-gid-map': maps(
    'setgroups cannot be denied any more: gid_map is written already',
    'write "deny" to setgroups before gid_map, in a new user namespace',
  ),
  'setgroups-denied': maps(
    'setgroups is denied in this user namespace, by who mapped it (a map of one id needs that) or by its parent, and that is for good: setgroups(2), newgrp, su and `setpriv --clear-groups` fail in it',
    'map a range of gids with CAP_SETGID (newgidmap, /etc/subgid) in a new user namespace, so that setgroups may stay allowed; or let the program keep its groups (`setpriv --keep-groups`)',
  ),
} as const satisfies Record<MapRefusal['rule'], Cause>;
