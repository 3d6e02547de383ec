import type {CapabilitySet} from '../../native-free/capability.ts';
import type {IdMap} from '../../native-free/id-map.ts';
import type {ShadowVersion} from '../../native-free/subordinate-ids.ts';

/** An account of the passwd database: `shell` tells people from services. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
}

export interface Group {
  readonly name: string;
  readonly gid: number;
}

/** A subordinate-id file: its text, or undefined when there is none. */
export interface SubordinateFile {
  readonly path: string;
  readonly text: string | undefined;
  /** Whose it is, and its permission bits; undefined when there is none. */
  readonly owner?: {readonly uid: number; readonly mode: number} | undefined;
}

/** A user namespace with at least one process in it that we can see; our own is never in the list. */
export interface LiveNamespace {
  /** Inode number of the namespace, or undefined when we may not look (another user's process). */
  readonly inode: number | undefined;
  /** The process with the lowest pid in it, and how many there are. */
  readonly pid: number;
  readonly processCount: number;
  readonly command: string;
  /** Uid of the namespace's owner as we see it, when it could be asked. */
  readonly owner: number | undefined;
  /** As /proc shows them to us: outside ids in OUR namespace, 4294967295 where we have no name for them. */
  readonly uidMap: IdMap;
  readonly gidMap: IdMap;
}

/** A block of ids in our ledger, by its unit folder. */
export interface LedgerBlock {
  readonly first: number;
  readonly size: number;
  /** `prepared`, `pod`, `bound`, `releasing`, or `unreadable`. */
  readonly kind: string;
  readonly pod: string;
}

/** SUB_UID_MIN and the like of /etc/login.defs, or shadow's own defaults. */
export interface LoginDefs {
  readonly subUidMin: number;
  readonly subUidMax: number;
  readonly subUidCount: number;
}

/** Who claims ids on this machine. */
export interface IdSpaceFacts {
  readonly accounts: readonly Account[];
  readonly groups: readonly Group[];
  readonly accountsFrom: 'getent' | 'files';
  readonly subuid: SubordinateFile;
  readonly subgid: SubordinateFile;
  /** The word after `subid:` in nsswitch.conf; `files` when there is none. */
  readonly subidSource: string;
  readonly shadow: ShadowVersion;
  readonly loginDefs: LoginDefs;
  readonly live: readonly LiveNamespace[];
  readonly ledger: {
    readonly root: string;
    readonly ownerUid: number | undefined;
    readonly blocks: readonly LedgerBlock[];
  };
  /** Programs found whose own pools are known. */
  readonly tools: readonly PoolTool[];
}

export type PoolTool = 'incus' | 'lxd' | 'systemd-nspawn' | 'systemd-nsresourced' | 'kubelet' | 'podman' | 'docker';

/** newuidmap or newgidmap. */
export interface MapHelper {
  readonly path: string;
  /** Permission bits, set-id bits included. */
  readonly mode: number;
  readonly uid: number;
  /** Permitted mask of its file capabilities; undefined: none, or nobody could tell. */
  readonly fileCapabilities: CapabilitySet | undefined;
  readonly mountPoint: string;
  readonly nosuid: boolean;
}

export interface StateFolder {
  readonly root: string;
  readonly exists: boolean;
  /** The deepest folder on the way that exists. */
  readonly nearest: string;
  readonly writable: boolean;
  readonly fsType: string;
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** The first folder on the way, from `/`, without search permission for others. */
  readonly closedAt: string | undefined;
}

/** One mount of /proc/self/mountinfo, its words unescaped. Source: proc(5). */
export interface MountFact {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** The folder of the file system that is mounted. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
  /** Of the mount: ro, nosuid, idmapped, … */
  readonly options: readonly string[];
  /** Of the file system: hidepid=2, size=…, … */
  readonly superOptions: readonly string[];
}

/** A container tool that is installed here, and the first number that its --version prints. */
export interface ToolFact {
  readonly name: ContainerTool;
  readonly path: string;
  /** undefined: it printed none in time. */
  readonly version: string | undefined;
}

export const containerTools = [
  'kubelet',
  'containerd',
  'crio',
  'runc',
  'crun',
  'podman',
  'buildah',
  'dockerd',
  'docker',
  'bwrap',
] as const;
export type ContainerTool = (typeof containerTools)[number];

/** What is limited, and how much of it is taken, for the processes of this user or for the machine. */
export interface BudgetFacts {
  readonly inotifyWatches: number | undefined;
  readonly ptys: {readonly used: number; readonly max: number} | undefined;
  /** Of this uid: quota of keys. */
  readonly keys: {readonly used: number; readonly max: number} | undefined;
  /** RLIMIT_NPROC and RLIMIT_NOFILE, soft; undefined: unlimited. */
  readonly processes: number | undefined;
  readonly openFiles: number | undefined;
  /** pids.max of our own cgroup and how many are in it; undefined: no limit, or no such controller. */
  readonly pidsCgroup: {readonly used: number; readonly max: number} | undefined;
  readonly threadsMax: number | undefined;
  readonly mountMax: number | undefined;
}

/** Everything the doctor judges. `undefined` means "not there" or "could not be read", never "fine". */
export interface MachineFacts {
  readonly platform: string;
  readonly kernel: string;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly name: string | undefined;
    readonly inPasswdFile: boolean;
  };
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly perl: {readonly path: string; readonly version: string} | undefined;
  /** `20.19.0`. */
  readonly node: string;
  /** Names in /proc/self/ns. */
  readonly namespaces: readonly string[];
  readonly maxUserNamespaces: number | undefined;
  /** kernel.unprivileged_userns_clone; undefined where this kernel has no such sysctl. */
  readonly unprivilegedUsernsClone: number | undefined;
  readonly apparmor: {
    /** kernel.apparmor_restrict_unprivileged_userns; undefined where there is none. */
    readonly restrictUserns: number | undefined;
    /** Our own label, such as `unconfined` or `docker-default (enforce)`. */
    readonly label: string | undefined;
    /** Whether the profile that strips children of unshare(1) is installed. */
    readonly unshareProfile: boolean;
  };
  readonly selinux: 'enforcing' | 'permissive' | undefined;
  /** kernel.yama.ptrace_scope; undefined without Yama. */
  readonly yamaPtraceScope: number | undefined;
  /** user.max_KIND_namespaces of the other kinds, by KIND. */
  readonly namespaceLimits: Readonly<Record<string, number>>;
  /** Whether / is not the root of our mount namespace; undefined when nobody could tell. */
  readonly chroot: boolean | undefined;
  readonly setgroups: 'allow' | 'deny' | undefined;
  readonly mounts: readonly MountFact[];
  /** File systems that this kernel has now (modules that are not loaded are missing). */
  readonly fileSystems: readonly string[];
  readonly tools: readonly ToolFact[];
  /** Blocks that a kubelet on this machine has on record, by pod uid. */
  readonly kubeletBlocks: readonly {readonly pod: string; readonly first: number; readonly size: number}[];
  readonly budgets: BudgetFacts;
  /** `0	2147483647`, of our net namespace. */
  readonly pingGroupRange: string | undefined;
  readonly oomScoreAdj: number | undefined;
  readonly selfUidMap: IdMap;
  readonly selfGidMap: IdMap;
  readonly isInitialUserns: boolean;
  /** A sign of the container we are in (`docker`, `podman`, `kubernetes`, …). */
  readonly container: string | undefined;
  /** `Seccomp:` of status: 0 none, 1 strict, 2 filter. */
  readonly seccomp: number;
  readonly noNewPrivs: boolean;
  readonly effective: CapabilitySet;
  readonly bounding: CapabilitySet;
  readonly newuidmap: MapHelper | undefined;
  readonly newgidmap: MapHelper | undefined;
  readonly utilLinux: string | undefined;
  readonly nss: {readonly getent: boolean; readonly getsubids: boolean};
  /** What `getsubids NAME` and `getsubids -g NAME` print for us, when another source than the files grants ids. */
  readonly nssRanges: {readonly uid: string | undefined; readonly gid: string | undefined};
  readonly kubelet: {
    readonly account: boolean;
    readonly uidOutput: string | undefined;
    readonly gidOutput: string | undefined;
  };
  readonly ids: IdSpaceFacts;
  readonly state: StateFolder;
  readonly terminal: {readonly nodePty: boolean; readonly script: string | undefined};
  readonly pidMax: number | undefined;
  readonly processCount: number;
  readonly inotifyInstances: number | undefined;
  readonly cgroup: {
    readonly layout: 'v1' | 'v2' | 'hybrid' | 'none';
    readonly controllers: readonly string[];
    readonly delegated: boolean;
  };
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}
