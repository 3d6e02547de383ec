import {readFileSync, statfsSync} from 'node:fs';
import {availableParallelism, hostname, networkInterfaces, totalmem} from 'node:os';
import type {NodeFacts} from '../../sim/index.ts';

/**
 * This machine as its pods may ask about it: its host name in lower case, its addresses but for loopback and link-local ones (127.0.0.1
 * when it has no other), its CPUs, its memory, and the size of the file system that `root` is on.
 */
export function readNodeFacts(root: string): NodeFacts {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({address, internal}) => !internal && !/^(fe80|169\.254\.)/i.test(address))
    // An IPv4 address first, as most programs expect.
    .sort((a, b) => a.family.localeCompare(b.family))
    .map(({address}) => address);
  const {blocks, bsize} = statfsSync(root);
  return {
    name: hostname().toLowerCase(),
    hostIPs: addresses.length > 0 ? addresses : ['127.0.0.1'],
    capacity: {
      cpu: String(availableParallelism()),
      memory: String(totalmem()),
      'ephemeral-storage': String(blocks * bsize),
    },
  };
}

/** A file of this machine that pods may get a copy of; undefined when it cannot be read. */
export function readNodeFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
