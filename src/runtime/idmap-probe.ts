import {type Agent, AgentFailure, errnoName} from '../host/agent.ts';
import type {ModeSetup} from '../userns/mode.ts';

/** Whether mounts of a path can have shifted ids, by the kernel's own word. */
export type IdmapAnswer =
  | {readonly ok: true}
  | {
      readonly ok: false;
      readonly errno: string;
      /** File system and mount point of the mount that refuses: the path's own, or one below it. */
      readonly type: string;
      readonly point: string;
      /** A clause for people, with the rule behind it. */
      readonly why: string;
    };

/** What is known of a file system that refuses. The kernel has said no already; this only explains. Source: FS_ALLOW_IDMAP in fs/, 6.18. */
const since: Readonly<Record<string, string>> = {
  ext4: 'they came with Linux 5.12',
  xfs: 'they came with Linux 5.12',
  vfat: 'they came with Linux 5.12',
  btrfs: 'they came with Linux 5.15',
  ntfs3: 'they came with Linux 5.15',
  f2fs: 'they came with Linux 5.18',
  erofs: 'they came with Linux 5.19',
  squashfs: 'they came with Linux 6.2',
  tmpfs: 'they came with Linux 6.3',
  ceph: 'they came with Linux 6.7',
  hugetlbfs: 'they came with Linux 6.9',
  fuse: 'they came with Linux 6.12, and its server must ask for them',
  nfs: 'no kernel has them for NFS so far',
  nfs4: 'no kernel has them for NFS so far',
  overlay: 'its layers can have them, the overlay itself cannot',
};

/** An id that our user namespace has and that a map may lead to: the probe's namespace has it, and nobody lives there. */
function someId(setup: ModeSetup): number {
  if (setup.mode === 'single') return 0;
  return setup.blocks?.[0]?.start ?? 65_536;
}

/**
 * Asks the kernel whether mounts of exactly this path, with those below it, can have shifted ids: a detached copy is given a user
 * namespace of the probe's own, and dropped. Nothing stays, and no table is asked. `where` is `host` for a path as whoever started us
 * sees it (mode `host` only), `own` for one in the agent's mount namespace. `doctor` may ask it of any path.
 * Throws AgentFailure when there is nothing at the path or the probe itself is not possible.
 */
export async function probeIdmap(
  agent: Agent,
  setup: ModeSetup,
  path: string,
  where: 'host' | 'own' = setup.mode === 'host' ? 'host' : 'own',
): Promise<IdmapAnswer> {
  const [answer, number = '0', type = '', point = ''] = await agent.request('idmapprobe', [
    where,
    path,
    String(someId(setup)),
  ]);
  if (answer === 'yes') return {ok: true};
  if (answer !== 'no') throw new AgentFailure(-1, 'EIO', `idmapprobe answered ${answer}`);
  const errno = errnoName(Number(number));
  return {ok: false, errno, type, point, why: reasonOf(setup, errno, type, point)};
}

function reasonOf(setup: ModeSetup, errno: string, type: string, point: string): string {
  const mount = `${type}, mounted at ${point}`;
  if (errno === 'EPERM') {
    return setup.mode === 'host'
      ? `the mount at ${point} (${type}) has shifted ids already, or its file system belongs to another user namespace (EPERM)`
      : `only root of the machine may shift the ids of ${mount}, and this is mode ${setup.mode} (EPERM)`;
  }
  const known = since[type.replace(/^fuse(blk)?\..*$/, 'fuse')] ?? 'few file systems have them';
  return `${mount}, has no idmapped mounts on this kernel: ${known} (${errno})`;
}
