import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {call} from '../operation.ts';

/** A file that is no module is refused for that only after the permission was asked. */
export const loadModule = tried(
  'K',
  {
    id: 'load-module',
    title: 'no kernel module can be loaded',
    group: 3,
    gain: 'code in the kernel of the node',
    attempt: 'init_module(2) of eight bytes that are no module: ENOEXEC means that the permission was there',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'kernel/module/main.c may_init_module(): capable(CAP_SYS_MODULE) in the initial user namespace',
    references: [attack('T1547.006'), docker('5.4'), nist('3.5.2')],
  },
  {
    calls: () => [call('init_module', [{bytes: Buffer.alloc(8)}, 8, ''], 'init_module', {gate: ['ENOEXEC']})],
  },
);
