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

/** What commands need from the running node. Everything is asynchronous, so that its module is loaded on first use. */
export interface Wiring {
  /** The pod of that name or id prefix in a state folder, or undefined. */
  readonly findPod: (root: string, name: string) => Promise<PodProcess | undefined>;
  /** Makes one pod in that mode and takes it down again. Throws nothing. */
  readonly tryMode: (mode: RealMode, root: string) => Promise<ModeTry>;
}

export const wiring: Wiring = {
  findPod: async (root, name) => {
    const [{openInventory}, {findPod}] = await Promise.all([
      import('./open-inventory.ts'),
      import('../node/pod-list.ts'),
    ]);
    const record = findPod(openInventory(root), name);
    return record?.holder && {name: record.config.metadata.name, pid: record.holder.pid};
  },
  tryMode: async (mode) => (await import('./try-mode.ts')).tryMode(mode),
};
