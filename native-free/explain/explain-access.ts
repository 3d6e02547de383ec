import type {AccessAnswer, AccessClass} from '../inode-access.ts';
import {type CauseValues, fillCause} from './cause.ts';
import {type CauseId, causes} from './causes.ts';

/** Why an access is allowed or not, in words; `mend` only where it is not. */
export interface ExplainedAccess {
  readonly why: string;
  readonly cause: CauseId | null;
  readonly mend: string | null;
}

const classWords: Readonly<Record<AccessClass, string>> = {
  owner: "the owner's bits",
  'named user': 'the entry of this user in the ACL',
  group: "the group's bits",
  'named group': 'the entry of one of its groups in the ACL',
  others: 'the bits for others',
};

const shownBits = (bits: number) => `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`;

/** What the words depend on beside the answer. */
export interface AccessPlace {
  /** A folder on the way, which is searched. */
  readonly isFolder: boolean;
  /** Its mount shifts ids, and has no place for the owner or the group. */
  readonly isWithoutPlace: boolean;
  readonly path: string;
}

/** Puts an answer of the model into words. */
export function explainAccess(answer: AccessAnswer, {isFolder, isWithoutPlace, path}: AccessPlace): ExplainedAccess {
  const values: CauseValues = {path};
  if (answer.ok)
    return {
      why:
        answer.by === 'capability'
          ? `${answer.capability} counts here: owner and group have ids in the namespace`
          : `${classWords[answer.by]} allow it`,
      cause: null,
      mend: null,
    };
  switch (answer.rule) {
    case 'access-read-only':
      return refused('read-only', 'what it is on is read-only (EROFS)', values);
    case 'access-noexec':
      return refused('no-exec', 'the mount has noexec (EACCES)', values);
    case 'access-nodev':
      return refused('device-on-nodev', 'the mount has nodev (EACCES)', values);
    case 'access-immutable':
      return refused('host-owned-file', 'it is immutable (chattr +i, EPERM)', values);
    case 'access-owner-unmapped':
      return refused(
        'owner-without-place',
        'the mount that shifts ids has no id for its owner or group: nobody writes it through there (EACCES)',
        values,
      );
    case 'access-bits': {
      const why = `${classWords[answer.class]} are ${shownBits(answer.bits)}`;
      const {capability} = answer;
      if (capability === 'none') return refused(isFolder ? 'parent-closed' : 'mode-bits', `${why} (EACCES)`, values);
      if (capability === 'no execute bit')
        return refused('no-exec', 'no x bit is set, and root too may run only what somebody may (EACCES)', values);
      const nobody = capability === 'owner has no id' ? 'the owner' : 'the group';
      return refused(
        isWithoutPlace ? 'owner-without-place' : isFolder ? 'parent-closed' : 'owner-unmapped',
        `${why}, and CAP_DAC_OVERRIDE does not count: ${nobody} has no id in the namespace (EACCES)`,
        values,
      );
    }
  }
}

function refused(cause: CauseId, why: string, values: CauseValues): ExplainedAccess {
  return {why, cause, mend: fillCause(causes[cause].mend, values)};
}
