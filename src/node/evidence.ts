import {statSync} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../native-free/errors.ts';
import {credentialsOf, namespaceOf, readIdMapText} from '../host/proc.ts';
import {makeFolder} from '../host/state-files.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';
import type {Mode} from '../userns/mode.ts';
import type {PodNode} from './node.ts';

/** What one command says in the pod and on the host. */
export interface SideBySide {
  readonly pod: string;
  readonly host: string;
  readonly differs: boolean;
}

/** The proof that a pod's root is nobody outside. Every value was read, none is derived from what was asked for. */
export interface Evidence {
  readonly mode: Mode;
  /** `host`, or `caller` where we are in a user namespace ourselves: "host" then means the namespace of the caller. */
  readonly hostMeans: 'host' | 'caller';
  /** `readlink /proc/self/ns/user` */
  readonly userNamespace: SideBySide;
  /** `cat /proc/self/uid_map`, without leading spaces. */
  readonly uidMap: SideBySide;
  /** `cat /proc/self/gid_map` */
  readonly gidMap: SideBySide;
  /** The pod's own process: its pid outside, its ids in the pod and, from /proc/PID/status, on the host. */
  readonly process: {
    readonly pid: number;
    readonly podUid: number;
    readonly podGid: number;
    readonly hostUid: number;
    readonly hostGid: number;
  };
  /** A file that the pod's root made in a shared folder, as the host's stat(2) sees it. */
  readonly file: {readonly podUid: number; readonly podGid: number; readonly hostUid: number; readonly hostGid: number};
  /** True when every reading says that root inside is an unprivileged id outside. */
  readonly isolated: boolean;
}

const script =
  'readlink /proc/self/ns/user; echo "$(cat /proc/self/uid_map)"; echo --; echo "$(cat /proc/self/gid_map)"; echo --; id -u; id -g; : > /shared/made-by-pod-root; stat -c "%u %g" /shared/made-by-pod-root';

function tidy(map: string): string {
  return map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '))
    .join('\n');
}

/**
 * Reads the evidence. The commands run in the pod's user namespace, in a container of their own beside the pod's (the image may
 * lack them), with one folder shared with the host; both are gone afterwards.
 */
export async function readEvidence(node: PodNode, record: SandboxRecord, hostPid: number): Promise<Evidence> {
  const {runtime} = node;
  const folder = join(node.root, 'evidence', record.id);
  makeFolder(folder, 0o711);
  const userns = record.config.linux?.securityContext?.namespaceOptions?.usernsOptions;
  const base = {uid: userns?.uids[0]?.hostId ?? 0, gid: userns?.gids[0]?.hostId ?? 0};
  let containerId: string | undefined;
  try {
    await runtime.agent.request('chown', [String(base.uid), String(base.gid), folder]);
    const created = await runtime.createContainer({
      podSandboxId: record.id,
      sandboxConfig: record.config,
      config: {
        metadata: {name: 'subroot-evidence', attempt: process.pid},
        image: {image: 'host'},
        command: ['sleep', 'infinity'],
        mounts: [{containerPath: '/shared', hostPath: folder}],
      },
    });
    containerId = created.containerId;
    await runtime.startContainer({containerId});
    const {stdout, stderr, exitCode} = await runtime.execSync({containerId, cmd: ['sh', '-c', script], timeout: 20});
    const [namespace = '', ...rest] = Buffer.from(stdout).toString('latin1').split('\n');
    const text = rest.join('\n');
    const [uidMap = '', gidMap = '', tail = ''] = text.split('\n--\n');
    const [podUid, podGid, inside = ''] = tail.split('\n');
    const [fileUid, fileGid] = inside.split(' ');
    const outside = credentialsOf(hostPid);
    if (exitCode !== 0 || !outside)
      throw subrootError('SUBROOT_EVIDENCE_FAILED', {
        pod: record.config.metadata.name,
        why: Buffer.from(stderr).toString('latin1').trim() || `exit code ${exitCode}`,
      });
    const file = statSync(join(folder, 'made-by-pod-root'));
    const compare = (pod: string, host: string): SideBySide => ({pod, host, differs: pod !== host});
    const evidence = {
      mode: runtime.mode,
      hostMeans: namespaceOf('self', 'user') === 'user:[4026531837]' ? ('host' as const) : ('caller' as const),
      userNamespace: compare(namespace, namespaceOf('self', 'user') ?? ''),
      uidMap: compare(tidy(uidMap), tidy(readIdMapText('self', 'uid_map') ?? '')),
      gidMap: compare(tidy(gidMap), tidy(readIdMapText('self', 'gid_map') ?? '')),
      process: {
        pid: hostPid,
        podUid: Number(podUid),
        podGid: Number(podGid),
        hostUid: outside.uid,
        hostGid: outside.gid,
      },
      file: {podUid: Number(fileUid), podGid: Number(fileGid), hostUid: file.uid, hostGid: file.gid},
    };
    const unprivileged = [
      evidence.process.hostUid,
      evidence.process.hostGid,
      evidence.file.hostUid,
      evidence.file.hostGid,
    ].every((id) => id !== 0);
    const isolated =
      evidence.userNamespace.differs &&
      evidence.uidMap.differs &&
      evidence.gidMap.differs &&
      unprivileged &&
      evidence.process.hostUid === evidence.file.hostUid &&
      evidence.process.hostGid === evidence.file.hostGid;
    return {...evidence, isolated};
  } finally {
    if (containerId !== undefined) await runtime.removeContainer({containerId});
    await node.removeTree(folder);
  }
}
