import type {ErrorEntry} from './errors.ts';

/**
 * Every error subroot can raise: the public contract of codes. docs/errors.md is generated from this table and a test holds both in step.
 * Grouped by subject; a code never changes its meaning.
 */
export const errorRegister = {
  // ── command line
  SUBROOT_USAGE: {kind: 'usage', layer: 'command line', message: '{what}', mend: '{mend}', grpc: 'INVALID_ARGUMENT'},
  // ── id maps
  SUBROOT_IDMAP_TEXT: {
    kind: 'config',
    layer: 'agent',
    message: 'cannot read the id map {source}, line {line} ({field}): {why}',
    mend: 'write one line per range: first id inside, first id outside, count, in plain decimal (`0 100000 65536`)',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_IDMAP_UNWRITABLE: {
    kind: 'usage',
    layer: 'agent',
    message: 'this id map cannot be written (line {line}): {why}',
    mend: 'choose ranges of 1 or more ids that do not overlap, up to 4294967294, in at most 340 lines and 4095 bytes',
    grpc: 'INVALID_ARGUMENT',
  },
  // ── agent
  SUBROOT_PERL_MISSING: {
    kind: 'host',
    layer: 'agent',
    message: 'there is no perl on this machine ({tried}); the agent that makes namespaces and mounts is a perl script',
    mend: 'install it: `apt-get install perl-base` (Debian, Ubuntu), `dnf install perl-interpreter` (Fedora), `apk add perl` (Alpine)',
  },
  SUBROOT_AGENT_FAILED: {
    kind: 'internal',
    layer: 'agent',
    message: 'the agent stopped answering: {what}',
    mend: 'see `subroot doctor`; if it finds nothing, report this with its output',
    grpc: 'INTERNAL',
  },
  // ── the kubelet's part: manifests and pods
  SUBROOT_MANIFEST_TOO_BIG: {
    kind: 'config',
    layer: 'manifest',
    message: '{file} has {bytes} bytes; a manifest may have {limit}',
    mend: 'split it into several files',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_MANIFEST_SYNTAX: {
    kind: 'config',
    layer: 'manifest',
    message: '{where}: not valid YAML or JSON: {why}',
    mend: 'correct that line; `kubectl apply --dry-run=client -f` reads the same form',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_MANIFEST_TOO_DEEP: {
    kind: 'config',
    layer: 'manifest',
    message: '{where}: nested deeper than {limit} levels',
    mend: 'no Pod needs that depth; look for unclosed brackets',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_MANIFEST_ALIASES: {
    kind: 'config',
    layer: 'manifest',
    message: '{where}: YAML aliases expand this file to more than {limit} values',
    mend: 'write the repeated parts out, or use fewer aliases',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_MANIFEST_KIND: {
    kind: 'config',
    layer: 'manifest',
    message: '{where}: {kind}: {why}',
    mend: '{mend}',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_MANIFEST_FIELD: {
    kind: 'config',
    layer: 'manifest',
    message: '{problems}',
    mend: 'correct the fields named; `kubectl explain pod.spec` lists their types',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_MANIFEST_NOT_YET: {
    kind: 'config',
    layer: 'manifest',
    message: 'not supported yet by subroot, and the pod would mean something else without it: {fields}',
    mend: 'remove the fields named, or say the same with fields that subroot honours',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_POD_INVALID: {
    kind: 'config',
    layer: 'manifest',
    message: 'The Pod "{pod}" is invalid: {errors}',
    mend: 'correct the fields named; a Kubernetes API server refuses this pod too (HTTP 422)',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_KUBERNETES_VERSION: {
    kind: 'usage',
    layer: 'command line',
    message: 'no rules for Kubernetes "{version}": subroot knows {oldest} to {newest}',
    mend: 'choose a minor version from {oldest} to {newest}, like `1.36`',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_POD_REJECTED: {
    kind: 'state',
    layer: 'container',
    message: 'pod {pod} stays Pending (FailedCreatePodSandBox): {why}',
    mend: '{mend}',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_POD_NON_ROOT: {
    kind: 'config',
    layer: 'container',
    message: 'container {container} of pod {pod} sets runAsNonRoot and would run as root: {why}',
    mend: 'set securityContext.runAsUser to a number above 0, or remove runAsNonRoot',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_VOLUME_HOST_PATH: {
    kind: 'config',
    layer: 'file system',
    message: 'hostPath type check failed for volume {volume}: {path} {why}',
    mend: 'create it, or choose another hostPath.type (DirectoryOrCreate, FileOrCreate, or none)',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_VOLUME_SUB_PATH: {
    kind: 'config',
    layer: 'file system',
    message: 'subPath {subPath} of volume {volume} {why}',
    mend: 'use a relative path without ".." whose links stay inside the volume',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_INIT_CONTAINER_FAILED: {
    kind: 'state',
    layer: 'container',
    message:
      'init container {container} of pod {pod} ended with exit code {exitCode} ({reason}); the containers were not started',
    mend: 'read its log at {log}',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_POD_ABORTED: {
    kind: 'state',
    layer: 'agent',
    message: 'starting pod {pod} was aborted before {step}; everything begun was undone',
    mend: 'start it again',
    grpc: 'CANCELLED',
  },
  SUBROOT_POD_UNDO_INCOMPLETE: {
    kind: 'state',
    layer: 'container',
    message: 'pod {pod} failed ({why}) and could not be undone: {left}; its id block stays reserved',
    mend: 'remove the pod again once the cause is gone, then its block is released',
    grpc: 'INTERNAL',
  },
  // ── the kubelet's part: id blocks
  SUBROOT_POOL_IDS_PER_POD: {
    kind: 'config',
    layer: 'allocator',
    message: 'invalid idsPerPod {idsPerPod}: {why}',
    mend: 'use a multiple of 65536 from 65536 to 4294901760',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_POOL_RANGE: {
    kind: 'config',
    layer: 'allocator',
    message: 'the id pool {first}:{length} cannot be used with {idsPerPod} ids per pod: {why}',
    mend: 'choose a first id and a length that are multiples of {idsPerPod}, from id {idsPerPod} to at most 4294967295 (`65536:7208960` gives 110 pods of 65536)',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_POOL_TOO_SMALL: {
    kind: 'config',
    layer: 'allocator',
    message:
      'the id pool {first}:{length} has {blocks} blocks of {idsPerPod} ids, not enough to support {maxPods} pods',
    mend: 'make it at least {wanted} ids long, or lower maxPods to {blocks}',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_POOL_RECORD: {
    kind: 'state',
    layer: 'allocator',
    message: 'block {hostId}:{length} of pod {pod} cannot be recorded: {why}',
    mend: 'remove that pod, or go back to the pool and idsPerPod it was started with',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_POOL_EXHAUSTED: {
    kind: 'state',
    layer: 'allocator',
    message:
      'could not find an empty slot to allocate a user namespace: {inUse} of {capacity} blocks are in use, held by {holders}',
    mend: 'remove pods that are no longer needed, or give a larger pool ({idsPerPod} ids per pod)',
    grpc: 'RESOURCE_EXHAUSTED',
  },
  SUBROOT_POOL_SOURCE: {
    kind: 'host',
    layer: 'subordinate ids',
    message: 'cannot tell the id pool of account kubelet: {why}',
    mend: '{mend}',
    grpc: 'FAILED_PRECONDITION',
  },
  // ── the kubelet's part: the ledger of blocks
  SUBROOT_LEDGER_VERSION: {
    kind: 'host',
    layer: 'state folder',
    message: '{path} was written by a newer subroot (version {found}; this one knows up to {known})',
    mend: 'use that newer subroot, or give another --root',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_LEDGER_CORRUPT: {
    kind: 'host',
    layer: 'state folder',
    message: '{path} is damaged: {why}',
    mend: 'stop all pods of this root, move the folder away and start again',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_LEDGER_NO_SPACE: {
    kind: 'host',
    layer: 'state folder',
    message: 'no space left for the ledger: {operation} {path} failed with {errno}',
    mend: 'free space or inodes on that file system (`df -h`, `df -i`), or give another --root',
    grpc: 'RESOURCE_EXHAUSTED',
  },
  SUBROOT_LEDGER_READ_ONLY: {
    kind: 'host',
    layer: 'state folder',
    message: 'the ledger is on a read-only file system: {operation} {path} failed with {errno}',
    mend: 'remount it read-write, or give another --root',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_LEDGER_ACCESS: {
    kind: 'host',
    layer: 'state folder',
    message: 'no permission for the ledger: {operation} {path} failed with {errno}',
    mend: 'run as the owner of that folder, or give another --root',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_LEDGER_IO: {
    kind: 'host',
    layer: 'state folder',
    message: 'the ledger cannot be used: {operation} {path} failed with {errno}',
    mend: 'look at that path and at the kernel log (`dmesg`), or give another --root',
    grpc: 'INTERNAL',
  },
  SUBROOT_LEDGER_USERNS_FILE: {
    kind: 'state',
    layer: 'state folder',
    message: 'user namespace of pod {pod} cannot be used: {path}: {why}',
    mend: 'remove the pod; its ids stay reserved until then',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_LEDGER_POD_UID: {
    kind: 'usage',
    layer: 'state folder',
    message: '"{uid}" cannot be a pod uid in the ledger',
    mend: 'use 1 to 128 letters, digits, "-", "_" or ".", beginning with a letter or digit',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_LEDGER_OWNER: {
    kind: 'internal',
    layer: 'state folder',
    message: 'the ledger was opened with an unusable owner: {why}',
    mend: 'give the pid, its start time in clock ticks and the boot id of this machine',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_LEDGER_NOT_PREPARED: {
    kind: 'state',
    layer: 'state folder',
    message: 'block {hostId} is not prepared by this process',
    mend: 'take blocks from claimPrepared and assign each of them once',
    grpc: 'FAILED_PRECONDITION',
  },
  SUBROOT_LEDGER_BUSY: {
    kind: 'state',
    layer: 'state folder',
    message: 'pod {pod} already has block {hostId}: {why}',
    mend: 'use getOrCreate for a pod that may exist, or wait until its release has ended',
    grpc: 'FAILED_PRECONDITION',
  },
  // ── ours
  SUBROOT_INTERNAL: {
    kind: 'internal',
    layer: 'agent',
    message: 'subroot has a bug: {what}',
    mend: 'report it with the output of `subroot doctor --output json`',
    grpc: 'INTERNAL',
  },
} as const satisfies Record<string, ErrorEntry>;
