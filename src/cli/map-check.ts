import {type Credentials, createUserNamespace, makeCredentials} from '../../native-free/credentials.ts';
import {explainMapWrite} from '../../native-free/explain-map-write.ts';
import {formatIdMap, type IdMap, parseIdMap, toContainerId, toHostId} from '../../native-free/id-map.ts';
import {UserNamespace} from '../../native-free/user-namespace.ts';
import {
  findOpenRefusal,
  type MapAnswer,
  type MapRefusal,
  writeIdMap,
  writeSetgroups,
} from '../../native-free/write-id-map.ts';

type MapFile = 'uid_map' | 'gid_map';

export interface CheckRequest {
  /** One text per level, outermost first, as it would be written; undefined: this file is not written at that level. */
  readonly uidTexts: readonly string[];
  readonly gidTexts: readonly string[];
  /** Who creates each namespace and writes its maps, by uid in the namespace around it; 0 has all capabilities, others none. */
  readonly uid: number;
  readonly from: 'parent' | 'inside';
  readonly setgroups: 'allow' | 'deny';
}

/** One of the kernel's checks, in its order. */
export interface CheckedRule {
  readonly rule: string;
  readonly answer: 'passed' | 'refused' | 'not reached';
  readonly what: string;
}

/** The kernel's answer to one write. `why` and `mend` are set when it refuses. */
export interface CheckedWrite {
  readonly level: number;
  readonly file: MapFile;
  readonly accepted: boolean;
  readonly rules: readonly CheckedRule[];
  readonly errno?: string;
  readonly why?: string;
  readonly mend?: string;
  /** What the kernel takes and nobody should write. */
  readonly warnings: readonly string[];
}

type Rule = MapRefusal['rule'];

/** The kernel's order of checks, in groups that a reader can hold. Source: facts kernel-userns §1.1. */
const ruleGroups: readonly {readonly rule: string; readonly what: string; readonly members: readonly Rule[]}[] = [
  {
    rule: 'open',
    what: 'the file can be opened for writing',
    members: ['idmap-open-read-only', 'idmap-open-owner', 'setgroups-open-sys-admin'],
  },
  {
    rule: 'place',
    what: 'the writer stands in the namespace or in its direct parent',
    members: ['idmap-initial-namespace', 'idmap-opener-namespace'],
  },
  {
    rule: 'one-write',
    what: 'one write at offset 0, of at most 4095 bytes',
    members: ['idmap-offset', 'idmap-too-long'],
  },
  {rule: 'once', what: 'the map is not written yet', members: ['idmap-already-written']},
  {rule: 'namespace', what: 'the writer has CAP_SYS_ADMIN over the namespace', members: ['idmap-sys-admin']},
  {
    rule: 'text',
    what: 'every line is three numbers of ids that exist, none of them twice, in at most 340 lines',
    members: [
      'idmap-syntax',
      'idmap-invalid-id',
      'idmap-no-ids',
      'idmap-past-last-id',
      'idmap-overlap',
      'idmap-too-many-extents',
    ],
  },
  {rule: 'who', what: 'the writer may map these ids', members: ['idmap-setfcap', 'idmap-setid-capability']},
  {rule: 'parent', what: "each line lies inside one line of the parent's map", members: ['idmap-parent-unmapped']},
];

/** Asks the model of the kernel what it would answer to these writes, level by level; a refused level ends the list. */
export function checkMaps(request: CheckRequest): readonly CheckedWrite[] {
  const depth = Math.max(request.uidTexts.length, request.gidTexts.length);
  const checks: CheckedWrite[] = [];
  let parent = new UserNamespace();
  for (let index = 0; index < depth; index += 1) {
    const level = index + 1;
    const creator = credentialsIn(parent, request.uid);
    const made = creator && createUserNamespace(creator);
    if (creator === undefined || made?.ok !== true) return [...checks, notCreated(level, request.uid)];
    const {userns: target, credentials} = made;
    const opener = request.from === 'parent' ? creator : credentials;
    const texts = {uid_map: request.uidTexts[index], gid_map: request.gidTexts[index]};
    if (request.setgroups === 'deny' && texts.gid_map !== undefined) writeSetgroups({target, text: 'deny'});
    for (const file of ['uid_map', 'gid_map'] as const) {
      const text = texts[file];
      if (text === undefined) continue;
      const inode = {uid: creator.euid, gid: creator.egid};
      const answer = findOpenRefusal({file, opener, target, inode}) ?? writeIdMap({file, target, opener, text});
      checks.push(checkedWrite(level, file, text, answer));
    }
    if (checks.some(({accepted}) => !accepted)) return checks;
    parent = target;
  }
  return checks;
}

function credentialsIn(userns: UserNamespace, uid: number): Credentials | undefined {
  const kernelUid = userns.toKernelId('uid', uid);
  // A level without a gid map is judged as if its gids were mapped like its uids: only the maps given are on trial.
  const kernelGid = userns.toKernelId('gid', uid) ?? kernelUid;
  if (kernelUid === undefined || kernelGid === undefined) return undefined;
  if (userns.kernelMap('gid').length === 0) userns.installIdMap('gid', userns.kernelMap('uid'));
  return makeCredentials({userns, uid: kernelUid, gid: kernelGid});
}

function notCreated(level: number, uid: number): CheckedWrite {
  return {
    level,
    file: 'uid_map',
    accepted: false,
    rules: ruleGroups.map(({rule, what}) => ({rule, what, answer: 'not reached'})),
    errno: 'EPERM',
    why: `the namespace of level ${level} cannot even be made: its creator, uid ${uid}, is not mapped at level ${level - 1}`,
    mend: `map uid and gid ${uid} at level ${level - 1}, or choose another creator with --as`,
    warnings: [],
  };
}

function checkedWrite(level: number, file: MapFile, text: string, answer: MapAnswer): CheckedWrite {
  if (answer.ok)
    return {
      level,
      file,
      accepted: true,
      rules: ruleGroups.map(({rule, what}) => ({rule, what, answer: 'passed'})),
      warnings: warningsOf(file, text, answer.map, answer.kernelMap),
    };
  const refusedAt = ruleGroups.findIndex(({members}) => members.includes(answer.rule));
  const rules = ruleGroups.map(({rule, what}, index): CheckedRule => {
    if (index === refusedAt) return {rule: answer.rule, what, answer: 'refused'};
    return {rule, what, answer: index < refusedAt ? 'passed' : 'not reached'};
  });
  return {level, file, accepted: false, rules, errno: answer.errno, ...explainMapWrite(answer), warnings: []};
}

function warningsOf(file: MapFile, text: string, map: IdMap, kernelMap: IdMap): string[] {
  const warnings: string[] = [];
  const strict = parseIdMap(text);
  if (!strict.ok)
    warnings.push(
      `the kernel takes this text and installs ${formatIdMap(map).trim().replaceAll('\n', '; ')}; subroot refuses it: line ${strict.line}: ${strict.why}`,
    );
  const rootInside = toContainerId(kernelMap, 0);
  const what = file === 'uid_map' ? 'root' : 'group root';
  if (rootInside !== undefined) warnings.push(`id ${rootInside} inside IS the host's ${what} (host id 0)`);
  if (toHostId(map, 0) === undefined)
    warnings.push('id 0 is not mapped inside: there is no root there, and runtimes refuse such a map');
  return warnings;
}
