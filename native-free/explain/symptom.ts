import type {CauseId} from './causes.ts';

/** Who prints a message. */
export type SymptomSource =
  | 'Kubernetes'
  | 'containerd and CRI-O'
  | 'runc'
  | 'crun'
  | 'podman and buildah'
  | 'Docker and rootlesskit'
  | 'newuidmap and getsubids'
  | 'unshare, nsenter and setpriv'
  | 'bubblewrap and browsers'
  | 'systemd and LXC'
  | 'Programs in a pod'
  | 'The kernel log';

/**
 * A message that is known. `example` is the message as the tool prints it; `pattern` finds it in any text, whatever its case, and its named
 * groups are values of the causes. `causes` are in the order in which they are likely where nothing else is known.
 */
export interface Symptom {
  readonly source: SymptomSource;
  readonly example: string;
  readonly pattern: RegExp;
  readonly causes: readonly [CauseId, ...CauseId[]];
}
