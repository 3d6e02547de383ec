/** What a pull is at, of one layer or of the whole. */
export type PullProgress =
  /** Something that whoever pulls should know. */
  | {readonly what: 'note'; readonly text: string}
  | {
      readonly what: 'image';
      readonly reference: string;
      readonly registry: string;
      readonly layers: number;
      readonly bytes: number;
    }
  | {
      readonly what: 'layer';
      readonly digest: string;
      readonly state: 'there' | 'downloading' | 'downloaded' | 'unpacking' | 'done';
      readonly bytes: number;
      readonly size: number;
    };

/** How registries are asked. */
export interface RegistryOptions {
  /** A file of credentials instead of the usual ones. */
  readonly authFile?: string;
  /** A folder of certificates instead of the usual ones. */
  readonly certDir?: string;
  /** False: any certificate will do, and plain HTTP where there is no TLS. */
  readonly tlsVerify?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}
