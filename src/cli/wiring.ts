import type {RealMode} from '../doctor/finding.ts';

/** A pod as `map --pod` needs it. */
export interface PodProcess {
  readonly name: string;
  /** A process in the pod's user namespace, such as its holder. */
  readonly pid: number;
}

/** What one real try of a mode came to. */
export interface ModeTry {
  readonly works: boolean;
  /** What was seen, in one line: the map read back, or the error with errno and layer. */
  readonly observed: string;
}

/**
 * What commands need from the running node. A part that is not here takes its flag out of the program: it is neither parsed nor shown.
 * Everything is asynchronous, so that its module is loaded on first use.
 */
export interface Wiring {
  /** The pod of that name or id prefix in a state folder, or undefined. */
  readonly findPod?: (root: string, name: string) => Promise<PodProcess | undefined>;
  /** Makes one mapped namespace in that mode and takes it down again. Throws nothing. */
  readonly tryMode?: (mode: RealMode, root: string) => Promise<ModeTry>;
}

export const wiring: Wiring = {};
