import {printable} from '../../native-free/errors.ts';
import {formatRanges, type IdRange, intersect, subtract} from '../../native-free/id-range.ts';
import {INVALID_ID} from '../../native-free/ids.ts';
import type {MachineFacts} from './facts.ts';
import type {Finding} from './finding.ts';
import {parseGetsubids} from './subordinate-findings.ts';

const MAX_SHOWN = 5;
const everything: IdRange = {start: 65_536, size: 2 ** 32 - 65_536};

/** Blocks on record: of our ledger and of a kubelet, held against the ids that they may come from. */
export function judgeRecords(facts: MachineFacts): Finding[] {
  return [judgeLedger(facts), ...judgeKubelet(facts)];
}

function poolOf({kubelet}: MachineFacts): readonly IdRange[] {
  const ranges = kubelet.account ? parseGetsubids(kubelet.uidOutput ?? '') : [];
  return ranges.length === 1 ? ranges : [everything];
}

interface Block {
  readonly pod: string;
  readonly first: number;
  readonly size: number;
}

function outsideOf(blocks: readonly Block[], pool: readonly IdRange[]): readonly Block[] {
  return blocks.filter(({first, size}) => subtract([{start: first, size}], pool).length > 0);
}

function shown(blocks: readonly Block[]): string {
  const words = blocks
    .slice(0, MAX_SHOWN)
    .map(({pod, first, size}) => `${formatRanges([{start: first, size}])} (pod ${printable(pod || 'unknown')})`);
  return words.join(', ') + (blocks.length > MAX_SHOWN ? ` and ${blocks.length - MAX_SHOWN} more` : '');
}

function judgeLedger(facts: MachineFacts): Finding {
  const {blocks, root} = facts.ids.ledger;
  const base = {
    id: 'ledger-records',
    layer: 'state folder',
    expected: 'records that can be read, of ids that pods may have',
    affects: ['host'],
  } as const;
  const broken = blocks.filter(({kind}) => kind === 'unreadable');
  if (broken.length > 0)
    return {
      ...base,
      severity: 'warn',
      found: `${printable(root)} has records that cannot be read: ${shown(broken)}; their ids stay reserved`,
      mend: '`subroot gc` sets them aside once nobody holds them',
    };
  const outside = facts.user.uid === 0 ? outsideOf(blocks, poolOf(facts)) : [];
  if (outside.length === 0)
    return {
      ...base,
      severity: 'ok',
      found: `${blocks.length} ${blocks.length === 1 ? 'block is' : 'blocks are'} on record, all as they should be`,
    };
  return {
    ...base,
    severity: 'warn',
    found: `pods have ids outside of the pool of today (account kubelet was given another range): ${shown(outside)}`,
    mend: 'nothing has to be done while they run; remove those pods and start them anew to bring them into the pool',
  };
}

/** What a kubelet refuses at its start, or hands out and the kernel refuses. Source: pkg/kubelet/userns/userns_manager.go. */
function judgeKubelet(facts: MachineFacts): Finding[] {
  const {kubeletBlocks} = facts;
  if (kubeletBlocks.length === 0) return [];
  const base = {
    id: 'kubelet-records',
    layer: 'allocator',
    expected: 'pods of the kubelet with ids of its range, none of them twice',
    affects: ['host'],
  } as const;
  const outside = outsideOf(kubeletBlocks, poolOf(facts));
  if (outside.length > 0)
    return [
      {
        ...base,
        severity: 'warn',
        found: `the kubelet has pods on record outside of its range: ${shown(outside)}; it will not start with them ("is out of range")`,
        mend: 'give account kubelet the old range back, or drain the node and remove those folders below /var/lib/kubelet/pods',
      },
    ];
  const last = kubeletBlocks.filter(({first, size}) => first + size > INVALID_ID);
  if (last.length > 0)
    return [
      {
        ...base,
        severity: 'warn',
        found: `a pod was given the block that holds 4294967295, which the kernel refuses: ${shown(last)}`,
        mend: 'delete that pod; for good, end the range of account kubelet below 4294901760',
      },
    ];
  const twice = kubeletBlocks.filter(({pod, first, size}) =>
    kubeletBlocks.some(
      (other) =>
        other.pod !== pod && intersect([{start: other.first, size: other.size}], [{start: first, size}]).length > 0,
    ),
  );
  if (twice.length === 0)
    return [{...base, severity: 'ok', found: `${kubeletBlocks.length} pods of the kubelet have blocks of their own`}];
  return [
    {
      ...base,
      severity: 'warn',
      found: `two pods of the kubelet share ids: ${shown(twice)}`,
      mend: 'delete one of them',
    },
  ];
}
