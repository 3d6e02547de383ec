import {subrootError} from '../native-free/errors.ts';
import {BLOCK_SIZE} from '../native-free/ids.ts';
import type {IdPool} from './id-pool.ts';
import {checkPool, DEFAULT_MAX_PODS, defaultPool} from './id-pool.ts';

/** How a run of `getsubids` ended. */
export type GetsubidsResult =
  | {readonly kind: 'exited'; readonly code: number; readonly stdout: string; readonly stderr: string}
  /** The program is not installed. */
  | {readonly kind: 'missing'};

export type AccountLookup =
  | {readonly kind: 'found'}
  | {readonly kind: 'unknown'}
  /** The lookup itself failed: a name service that does not answer is no proof that there is no account. */
  | {readonly kind: 'failed'; readonly why: string};

export interface PoolSources {
  /** The range the caller chose; nothing is looked up then. */
  readonly explicit?: IdPool;
  /** Is there an account `kubelet` on this machine? */
  readonly lookupAccount: (name: string) => AccountLookup;
  /** Runs `getsubids` with these arguments. */
  readonly getsubids: (args: readonly string[]) => GetsubidsResult;
  /** A multiple of 65536 (the default). */
  readonly idsPerPod?: number;
  /** 110 by default. */
  readonly maxPods?: number;
  /**
   * `ours` (default): without getsubids the default pool is used, as the kubelet means to. `kubelet`: as it really does up to 1.37,
   * it fails then, because it does not recognise "executable not found" (kubernetes#141345).
   */
  readonly behaviour?: 'ours' | 'kubelet';
}

/** A pool and why it is this one, so that it can be shown (kubernetes#141970: a configured range was ignored in silence). */
export interface ChosenPool {
  readonly pool: IdPool;
  readonly source: 'explicit' | 'account' | 'default';
  readonly why: string;
}

const ACCOUNT = 'kubelet';

/**
 * The range of host ids for pods: the explicit one, or that of account `kubelet` in /etc/subuid and /etc/subgid, or the default.
 * Errors: SUBROOT_POOL_SOURCE when the account's range cannot be told, SUBROOT_POOL_* when the range is unusable.
 * Source: kubernetes pkg/kubelet/kubelet_pods.go getKubeletMappings, 1.36.
 */
export function poolFrom(sources: PoolSources): ChosenPool {
  const idsPerPod = sources.idsPerPod ?? BLOCK_SIZE;
  const chosen = choose(sources, idsPerPod);
  checkPool(chosen.pool, idsPerPod, sources.maxPods ?? DEFAULT_MAX_PODS);
  return chosen;
}

function choose(sources: PoolSources, idsPerPod: number): ChosenPool {
  if (sources.explicit) return {pool: sources.explicit, source: 'explicit', why: 'it was given'};
  const account = sources.lookupAccount(ACCOUNT);
  if (account.kind === 'failed') {
    throw refuse(
      `looking up account ${ACCOUNT} failed: ${account.why}`,
      'repair the name service (/etc/nsswitch.conf), or give an explicit range',
    );
  }
  const fallBack = (why: string): ChosenPool => ({pool: defaultPool(idsPerPod), source: 'default', why});
  if (account.kind === 'unknown') return fallBack(`there is no account ${ACCOUNT}`);

  const uids = sources.getsubids([ACCOUNT]);
  const gids = uids.kind === 'missing' ? uids : sources.getsubids(['-g', ACCOUNT]);
  if (uids.kind === 'missing' || gids.kind === 'missing') {
    if (sources.behaviour === 'kubelet') {
      throw refuse(
        'exec: "getsubids": executable file not found in $PATH',
        'install shadow-utils (package uidmap), or remove the account kubelet',
      );
    }
    return fallBack('getsubids is not installed');
  }
  for (const [result, file] of [
    [uids, '/etc/subuid'],
    [gids, '/etc/subgid'],
  ] as const) {
    if (result.code !== 0) {
      const said = result.stderr.trim() || result.stdout.trim();
      throw refuse(
        `getsubids for ${file} exited with ${result.code}${said && `: ${said}`}`,
        `add a line \`${ACCOUNT}:65536:7208960\` to ${file}, or give an explicit range`,
      );
    }
  }
  if (uids.stdout !== gids.stdout) {
    throw refuse(
      `mismatched subuids and subgids: ${JSON.stringify(uids.stdout.trim())} and ${JSON.stringify(gids.stdout.trim())}`,
      `give ${ACCOUNT} the same range in /etc/subuid and /etc/subgid`,
    );
  }
  const pool = parseGetsubids(uids.stdout);
  return {
    pool,
    source: 'account',
    why: `/etc/subuid and /etc/subgid grant account ${ACCOUNT} ${pool.first}:${pool.length}`,
  };
}

/**
 * The one range in the output of `getsubids`: `0: kubelet 65536 7208960`. The first two fields are not looked at.
 * Throws SUBROOT_POOL_SOURCE. Source: kubernetes pkg/kubelet/kubelet_pods.go parseGetSubIdsOutput, 1.36.
 */
export function parseGetsubids(output: string): IdPool {
  const bad = (why: string) =>
    refuse(
      `cannot read the output of getsubids ${JSON.stringify(output)}: ${why}`,
      `keep exactly one line for ${ACCOUNT} in /etc/subuid and /etc/subgid`,
    );
  const lines = output.replace(/^\n+|\n+$/g, '').split('\n');
  const [line = ''] = lines;
  if (lines.length !== 1) throw bad(`error parsing user namespace mappings: expected one line, got ${lines.length}`);
  const fields = line.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== 4) throw bad(`expected 4 fields, got ${fields.length}`);
  const [, , first = '', length = ''] = fields;
  const number = (text: string): number => {
    if (!/^\d+$/.test(text) || Number(text) >= 2 ** 32) throw bad(`"${text}" is no number from 0 to 4294967295`);
    return Number(text);
  };
  return {first: number(first), length: number(length)};
}

function refuse(why: string, mend: string): Error {
  return subrootError('SUBROOT_POOL_SOURCE', {why, mend});
}
