/** Kinds of check that a hostPath asks for; empty asks for none but that something is there. */
export type HostPathType =
  | ''
  | 'DirectoryOrCreate'
  | 'Directory'
  | 'FileOrCreate'
  | 'File'
  | 'Socket'
  | 'CharDevice'
  | 'BlockDevice';

/** One key as a file: `path` is relative to the volume. `mode` has the permission bits; absent means the volume's `defaultMode`. */
export interface KeyToPath {
  readonly key: string;
  readonly path: string;
  readonly mode?: number;
}

/** The files of a ConfigMap or Secret. Without `items`, each key is a file of its name. */
export interface ObjectProjection {
  readonly kind: 'configMap' | 'secret';
  /** Empty: the manifest names none; the API refuses that. */
  readonly name: string;
  readonly items?: readonly KeyToPath[];
  /** A missing object or key is no error then. */
  readonly optional: boolean;
}

/** What a file of a downwardAPI volume says: a field of the pod (`metadata.labels`), or a limit or request of a container. */
export type DownwardSource =
  | {readonly kind: 'field'; readonly path: string}
  /** `divisor` is a quantity; absent means 1. `container` is empty when the manifest names none; the API refuses that. */
  | {readonly kind: 'resource'; readonly container: string; readonly resource: string; readonly divisor?: string};

export interface DownwardFile {
  readonly path: string;
  readonly mode?: number;
  /** Absent when the manifest names no source or both; the API refuses that. */
  readonly source?: DownwardSource;
  /** How many sources the manifest names. */
  readonly sources: number;
}

export interface DownwardProjection {
  readonly kind: 'downwardAPI';
  readonly items: readonly DownwardFile[];
}

/** One source of a projected volume; `other` needs an API server (`serviceAccountToken`, …) and is refused before it gets here. */
export type Projection = ObjectProjection | DownwardProjection | {readonly kind: 'other'; readonly type: string};

/** A volume whose files come from the API. Its mounts are read-only, whatever they say. `defaultMode` has the permission bits. */
export interface ApiVolume {
  readonly name: string;
  readonly kind: 'configMap' | 'secret' | 'downwardAPI' | 'projected';
  readonly defaultMode: number;
  /** Exactly one, unless the kind is `projected`. */
  readonly sources: readonly Projection[];
}

export interface EmptyDirVolume {
  readonly name: string;
  readonly kind: 'emptyDir';
  /** Empty: on the disk of the state folder. `Memory`: a tmpfs of its own. */
  readonly medium: string;
  /** A quantity, as written. */
  readonly sizeLimit?: string;
}

export interface HostPathVolume {
  readonly name: string;
  readonly kind: 'hostPath';
  readonly path: string;
  readonly type: HostPathType;
}

export type Volume =
  | EmptyDirVolume
  | HostPathVolume
  | ApiVolume
  /** Any other type the API knows, by its field name (`nfs`, `csi`, …). */
  | {readonly name: string; readonly kind: 'other'; readonly type: string};

export type MountPropagationMode = 'None' | 'HostToContainer' | 'Bidirectional';
export type RecursiveReadOnlyMode = 'Disabled' | 'IfPossible' | 'Enabled';

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  /** `None` when absent in the manifest. A text that is none of the three is refused by validatePod. */
  readonly mountPropagation: MountPropagationMode;
  readonly recursiveReadOnly: RecursiveReadOnlyMode;
  readonly subPath?: string;
  /** As subPath, with `$(NAME)` for variables of the container. */
  readonly subPathExpr?: string;
}
