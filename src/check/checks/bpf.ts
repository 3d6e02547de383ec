import {readText} from '../../host/process-view.ts';
import type {Attempt} from '../attempt.ts';
import {attack, expectedOfCapability, nist, tried} from '../define.ts';
import {call, struct} from '../operation.ts';

const MAP_CREATE = 0;
const PROG_LOAD = 5;
const PROG_GET_NEXT_ID = 11;
const [ARRAY, SOCKET_FILTER, CGROUP_SKB] = [2, 1, 8];
/** r0 = 0; exit */
const instructions = Buffer.from('b7000000000000009500000000000000', 'hex');
const license = Buffer.from('GPL\0');

function load(type: number): Uint8Array {
  return Buffer.concat([struct([type, 4], [2, 4]), Buffer.alloc(40)]);
}

/** Programs in the kernel. */
export const bpf = tried(
  'K',
  {
    id: 'bpf',
    title: 'no program can be loaded into the kernel',
    group: 3,
    gain: 'to watch and change what the kernel of the node does for all',
    attempt: 'bpf(2): a map, a socket filter, a filter of a control group, the ids of loaded programs',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/bpf/syscall.c bpf_capable(): CAP_BPF or CAP_SYS_ADMIN in the initial user namespace, with kernel.unprivileged_bpf_disabled',
    references: [attack('T1014'), nist('3.5.2')],
  },
  ...(['map', 'socket-filter', 'cgroup-skb', 'next-id'] as const).map(
    (name): Attempt => ({
      name,
      prepare: () => {
        const setting = readText('/proc/sys/kernel/unprivileged_bpf_disabled')?.trim();
        if ((name === 'map' || name === 'socket-filter') && setting === '0')
          throw new Error('kernel.unprivileged_bpf_disabled is 0 here: everybody may');
      },
      calls: () => {
        if (name === 'map')
          return [
            call(
              'bpf',
              [MAP_CREATE, {bytes: Buffer.concat([struct([ARRAY, 4], [4, 4], [4, 4], [1, 4]), Buffer.alloc(32)])}, 48],
              'bpf(BPF_MAP_CREATE)',
            ),
          ];
        if (name === 'next-id')
          return [
            call('bpf', [PROG_GET_NEXT_ID, {bytes: Buffer.alloc(48)}, 12], 'bpf(BPF_PROG_GET_NEXT_ID)', {
              gate: ['ENOENT'],
            }),
          ];
        const attributes = {
          bytes: load(name === 'cgroup-skb' ? CGROUP_SKB : SOCKET_FILTER),
          pointers: {8: instructions, 16: license},
        };
        return [call('bpf', [PROG_LOAD, attributes, 48], `bpf(BPF_PROG_LOAD, ${name})`)];
      },
    }),
  ),
);
