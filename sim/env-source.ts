/** Where the value of a variable comes from, when it is not written down. */
export type EnvSource =
  | {readonly kind: 'field'; readonly path: string}
  /** `container` is another container's name; absent means the variable's own. `divisor` absent means 1. */
  | {readonly kind: 'resource'; readonly resource: string; readonly container?: string; readonly divisor?: string}
  | {readonly kind: 'configMap' | 'secret'; readonly name: string; readonly key: string; readonly optional: boolean};

/** A variable of a container. `value` is empty where `from` says where it comes from. */
export interface EnvVar {
  readonly name: string;
  readonly value: string;
  readonly from?: EnvSource;
  /** How many sources the manifest named, when that is not one: the API refuses it. */
  readonly sources?: number;
}

/** All keys of a ConfigMap or Secret as variables. */
export interface EnvFrom {
  /** Put before each key. */
  readonly prefix: string;
  /** Absent: the manifest names none; the API refuses that. */
  readonly from?: {readonly kind: 'configMap' | 'secret'; readonly name: string; readonly optional: boolean};
  readonly sources?: number;
}
