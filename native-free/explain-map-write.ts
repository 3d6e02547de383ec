import {causesOfMaps} from './explain/causes-of-maps.ts';
import {formatRanges} from './id-range.ts';
import {MAX_ID} from './ids.ts';
import type {MapRefusal, SingleIdFault} from './write-id-map.ts';

/** One sentence on what the kernel refused and why, one on how to mend it, both with the values. Texts from files are in it as they were: show them `printable`. */
export interface MapExplanation {
  readonly why: string;
  readonly mend: string;
}

const column = {containerId: 'first id inside', hostId: 'first id outside'} as const;

const singleIdFaults: Record<SingleIdFault, string> = {
  'not-one-id': 'the map is more than one id',
  'not-owner': 'the writer is not the owner of the namespace',
  'other-id': "the outside id is not the writer's own effective id",
  'setgroups-allowed': 'setgroups of the namespace is still "allow"',
};

/** Why a write to a map or to setgroups was refused, for people. Every rule of `MapRefusal` has its own text; never throws. */
export function explainMapWrite(refusal: MapRefusal): MapExplanation {
  switch (refusal.rule) {
    case 'idmap-open-read-only':
      return {
        why: 'open(2) for writing fails with EROFS: this /proc is mounted read-only',
        mend: causesOfMaps['idmap-open-read-only'].mend,
      };
    case 'idmap-open-owner': {
      const {inode, fsuid} = refusal;
      return {
        why: `open(2) for writing fails with EACCES: the file belongs to host uid ${inode.uid}, gid ${inode.gid}, mode 0644, and the opener acts as host uid ${fsuid}`,
        mend: `open it as uid ${inode.uid}, or with CAP_DAC_OVERRIDE where both of its ids are mapped; if the process is not dumpable (its program is unreadable to it), run a readable program first`,
      };
    }
    case 'setgroups-open-sys-admin':
      return {
        why: 'open(2) of setgroups for writing fails with EACCES: the opener has no CAP_SYS_ADMIN over the namespace',
        mend: `open it from the parent namespace as the owner (host uid ${refusal.owner}), or from inside with CAP_SYS_ADMIN`,
      };
    case 'idmap-initial-namespace':
      return {
        why: 'the process is in the initial user namespace, whose map is fixed',
        mend: causesOfMaps['idmap-initial-namespace'].mend,
      };
    case 'idmap-opener-namespace':
      return {
        why: `a map is written from the namespace itself or from its parent, and the opener is in another one (level ${refusal.openerLevel}; the target is at level ${refusal.targetLevel})`,
        mend: causesOfMaps['idmap-opener-namespace'].mend,
      };
    case 'idmap-offset':
      return {
        why: `the write starts at offset ${refusal.offset}: a map is written with one write(2) at offset 0`,
        mend: causesOfMaps['idmap-offset'].mend,
      };
    case 'idmap-too-long':
      return {
        why: `the text is ${refusal.bytes} bytes and the kernel takes at most ${refusal.limit}`,
        mend: causesOfMaps['idmap-too-long'].mend,
      };
    case 'idmap-already-written':
      return {
        why: `the map is written already (${refusal.extents} lines) and is written only once`,
        mend: causesOfMaps['idmap-already-written'].mend,
      };
    case 'idmap-sys-admin':
      return {
        why: `the opener (host uid ${refusal.openerEuid}) has no CAP_SYS_ADMIN over the namespace, whose owner is host uid ${refusal.owner}`,
        mend: `write as host uid ${refusal.owner} from the parent namespace, or with CAP_SYS_ADMIN there`,
      };
    case 'idmap-syntax':
      return {
        why: `line ${refusal.line} is not three decimal numbers: "${refusal.text}"`,
        mend: causesOfMaps['idmap-syntax'].mend,
      };
    case 'idmap-invalid-id':
      return {
        why: `line ${refusal.line}: the ${column[refusal.field]} is 4294967295, which is (uid_t)-1 and never an id`,
        mend: causesOfMaps['idmap-invalid-id'].mend,
      };
    case 'idmap-no-ids':
      return {why: `line ${refusal.line} maps 0 ids`, mend: causesOfMaps['idmap-no-ids'].mend};
    case 'idmap-past-last-id': {
      const {line, field, start, size} = refusal;
      return {
        why: `line ${line}: ${size} ids from the ${column[field]} ${start} reach ${start + size - 1}, past ${MAX_ID}, the last one`,
        mend: `take at most ${MAX_ID + 1 - start} ids from ${start}`,
      };
    }
    case 'idmap-overlap': {
      const {line, earlierLine, domain, start, size} = refusal;
      return {
        why: `lines ${earlierLine} and ${line} both map the ${domain} ids ${formatRanges([{start, size}])}`,
        mend: causesOfMaps['idmap-overlap'].mend,
      };
    }
    case 'idmap-too-many-extents':
      return {
        why: `there are ${refusal.lines} lines and the kernel takes at most ${refusal.limit} (5 before Linux 4.15)`,
        mend: causesOfMaps['idmap-too-many-extents'].mend,
      };
    case 'idmap-setfcap':
      return {
        why: `line ${refusal.line} maps the parent's id 0, and the ${refusal.lacking} has no CAP_SETFCAP over the parent namespace (Linux 5.12 and later)`,
        mend: causesOfMaps['idmap-setfcap'].mend,
      };
    case 'idmap-setid-capability': {
      const {capability, lacking, single} = refusal;
      const who = lacking === 'both' ? 'neither the opener nor the writer has' : `the ${lacking} does not have`;
      return {
        why: `${who} ${capability} over the parent namespace, and without it only the own id may be mapped: ${singleIdFaults[single]}`,
        mend:
          single === 'setgroups-allowed'
            ? 'write "deny" to setgroups first, or use newgidmap with ranges of /etc/subgid'
            : `use ${capability === 'CAP_SETUID' ? 'newuidmap with ranges of /etc/subuid' : 'newgidmap with ranges of /etc/subgid'}, or map only the own id`,
      };
    }
    case 'idmap-parent-unmapped': {
      const {line, start, size, unmapped} = refusal;
      const ids = formatRanges([{start, size}]);
      if (unmapped.length === 0)
        return {
          why: `line ${line}: the parent has the ids ${ids} in more than one line of its map, and each line must lie inside one of the parent's`,
          mend: "split the line where the parent's lines end",
        };
      return {
        why: `line ${line} wants the parent's ids ${ids}, and ${formatRanges(unmapped)} are not mapped in the parent`,
        mend: "choose outside ids that the parent's own map has inside (cat /proc/self/uid_map there)",
      };
    }
    case 'setgroups-offset':
      return {
        why: `the write starts at offset ${refusal.offset}: setgroups is written at offset 0`,
        mend: causesOfMaps['setgroups-offset'].mend,
      };
    case 'setgroups-too-long':
      return {
        why: `the text is ${refusal.bytes} bytes and setgroups takes at most ${refusal.limit}`,
        mend: causesOfMaps['setgroups-too-long'].mend,
      };
    case 'setgroups-word':
      return {
        why: `setgroups takes the words "allow" and "deny" and was given "${refusal.text}"`,
        mend: causesOfMaps['setgroups-word'].mend,
      };
    case 'setgroups-after-gid-map':
      return {
        why: 'setgroups cannot be denied any more: gid_map is written already',
        mend: causesOfMaps['setgroups-after-gid-map'].mend,
      };
    case 'setgroups-denied':
      return {
        why: 'setgroups is denied here, by an earlier write or by the parent, and that is for good',
        mend: causesOfMaps['setgroups-denied'].mend,
      };
  }
}
