import type {ImageConfig} from '../../native-free/oci-documents.ts';
import type {SandboxRecord} from './state-store.ts';

/** An image of the store as a container is made from it. */
export interface ContainerImage {
  /** Digest of its configuration. */
  readonly id: string;
  readonly config: ImageConfig;
  /** Folders of its unpacked layers as this pod may have them, the highest first. */
  readonly lowers: readonly string[];
  /** Their files belong to ids from 0 on, and each pod has them shifted to its own. */
  readonly isShifted: boolean;
  /** The mark in the store that keeps them from being removed. */
  readonly usePath: string;
  /** A file as the layers together have it, as text; undefined when there is none, or it is no plain file. */
  readFile(path: string): string | undefined;
}

/** Where a runtime gets images from; it knows no registry. */
export interface ImageSource {
  /**
   * The image that a word means, unpacked for a sandbox's ids and kept from removal while `mark` exists; undefined when there is none.
   * Errors: SUBROOT_AMBIGUOUS, SUBROOT_IMAGE_*.
   */
  hold(
    word: string,
    use: {readonly container: string; readonly mark: string; readonly sandbox: SandboxRecord},
    signal?: AbortSignal,
  ): Promise<ContainerImage | undefined>;
}
