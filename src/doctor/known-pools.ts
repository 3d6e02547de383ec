import type {IdRange} from '../../native-free/id-range.ts';
import type {IdSpaceFacts, PoolTool} from './facts.ts';

/** A range that a tool takes ids from unless it is told otherwise. Pools of different tools overlap: that is the trouble with them. */
export interface KnownPool {
  readonly name: string;
  readonly range: IdRange;
  /** Whether a program that uses it was found here. useradd's is always in use. */
  readonly present: boolean;
  readonly source: string;
}

const fixed: readonly (KnownPool & {readonly tools: readonly PoolTool[]})[] = [
  {
    name: 'Incus/LXD',
    tools: ['incus', 'lxd'],
    range: {start: 1_000_000, size: 1_000_000_000},
    present: false,
    source: 'Incus documentation, "Idmaps for user namespace"',
  },
  {
    name: 'systemd containers',
    tools: ['systemd-nspawn', 'systemd-nsresourced'],
    range: {start: 524_288, size: 1_878_523_904},
    present: false,
    source: 'systemd, "Users, Groups, UIDs and GIDs on systemd Systems"',
  },
  {
    name: 'kubelet default',
    tools: ['kubelet'],
    range: {start: 65_536, size: 2 ** 32 - 65_536},
    present: false,
    source: 'Kubernetes KEP-127: all ids above the first 65536, unless account kubelet has a range',
  },
];

/** The pools of other tools on a machine; useradd's comes from login.defs. */
export function knownPools(facts: Pick<IdSpaceFacts, 'loginDefs' | 'tools'>): readonly KnownPool[] {
  const {subUidMin, subUidMax} = facts.loginDefs;
  const useradd: KnownPool = {
    name: 'useradd',
    range: {start: subUidMin, size: Math.max(0, subUidMax - subUidMin + 1)},
    present: true,
    source: '/etc/login.defs SUB_UID_MIN, SUB_UID_MAX',
  };
  return [
    useradd,
    ...fixed.map(({tools, ...pool}) => ({...pool, present: tools.some((tool) => facts.tools.includes(tool))})),
  ];
}
