import type {Errno} from '../errno.ts';
import type {CauseId} from './causes.ts';

/** Causes by errno, the likeliest first. */
export type Refusals = Readonly<Partial<Record<Errno, readonly [CauseId, ...CauseId[]]>>>;

/** Something that is asked of the kernel, and what each errno means for it. */
export interface Operation {
  /** As people say it: a call, and what it is about. */
  readonly name: string;
  /** The calls and words that mean it. */
  readonly calls: readonly string[];
  /** What must stand beside the call; without it every use of the call is meant. */
  readonly about?: RegExp;
  readonly refusals: Refusals;
}
