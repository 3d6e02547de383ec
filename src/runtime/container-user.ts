import {type AccountGroup, parseGroup, parsePasswd} from '../../native-free/accounts.ts';
import type {ContainerConfig, LinuxContainerSecurityContext} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import {readImageFile} from '../host/image-files.ts';
import {builtinEtc} from './etc-files.ts';

/** Who a container's programs are, in container-side ids. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups without the primary one. */
  readonly groups: readonly number[];
  readonly home: string;
}

/** The text of a file of the container's image: that of a folder, or the one that every pod of image `host` gets. */
function fileOf({image: {image}}: ContainerConfig, path: string): string | undefined {
  return image === 'host' ? builtinEtc[path] : readImageFile(image, path);
}

/**
 * The user of a container by its request and its image's /etc/passwd and /etc/group. A uid without a group has that of its passwd line, else 0;
 * policy Merge adds the groups that name the user, Strict does not. Errors: SUBROOT_CONFIG_INVALID for contradictions, and for a name that the
 * image does not have. `readFile` reads a file of the image; by default that of a folder or of image `host`. Source: containerd internal/cri/server/container_create.go and oci WithUser, WithAdditionalGIDs, 2.1; cri-v1 facts §8.
 */
export function userOf(
  config: ContainerConfig,
  readFile: (path: string) => string | undefined = (path) => fileOf(config, path),
): ContainerUser {
  const context = config.linux?.securityContext;
  requireOneUser(context);
  const asked = context?.supplementalGroups ?? [];
  const name = context?.runAsUsername ?? '';
  const passwd = parsePasswd(readFile('/etc/passwd') ?? '');
  const uid = name === '' ? (context?.runAsUser?.value ?? 0) : undefined;
  const account = passwd.find((each) => (uid === undefined ? each.name === name : each.uid === uid));
  if (uid === undefined && !account) {
    const why = `the image's /etc/passwd has no user ${name}`;
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'run_as_username', why});
  }
  const gid = context?.runAsGroup?.value ?? account?.gid ?? 0;
  const isMerged = (context?.supplementalGroupsPolicy ?? 'Merge') === 'Merge';
  const memberships = isMerged && account ? groupsOf(parseGroup(readFile('/etc/group') ?? ''), account.name) : [];
  return {
    uid: uid ?? account?.uid ?? 0,
    gid,
    groups: [...new Set([...memberships, ...asked])].filter((group) => group !== gid),
    home: account?.home || (uid === 0 ? '/root' : '/'),
  };
}

function groupsOf(groups: readonly AccountGroup[], name: string): readonly number[] {
  return groups.flatMap(({gid, members}) => (members.includes(name) ? [gid] : []));
}

function requireOneUser(context: LinuxContainerSecurityContext | undefined): void {
  const hasName = (context?.runAsUsername ?? '') !== '';
  if (context?.runAsUser !== undefined && hasName) {
    const why = 'run_as_user says who it is already';
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'run_as_username', why});
  }
  if (context?.runAsGroup !== undefined && context.runAsUser === undefined && !hasName) {
    const why = 'a group needs a user: set run_as_user or run_as_username too';
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'run_as_group', why});
  }
  const policy = context?.supplementalGroupsPolicy;
  if (policy !== undefined && policy !== 'Merge' && policy !== 'Strict') {
    const why = `${policy} is neither Merge nor Strict`;
    throw subrootError('SUBROOT_CONFIG_INVALID', {field: 'supplemental_groups_policy', why});
  }
}
