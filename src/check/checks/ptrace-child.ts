import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {call} from '../operation.ts';

const PTRACE_TRACEME = 0;

/** Debuggers. */
export const ptraceChild = usable(
  {
    id: 'ptrace-child',
    title: 'the pod can trace its own processes',
    group: 7,
    gain: 'nothing; without it: gdb, strace, delve',
    attempt: 'ptrace(2) PTRACE_TRACEME in the pod',
    expected: {'treatment-all': 'works', 'treatment-default': 'works'},
    rule: 'kernel/ptrace.c ptrace_traceme() → security_ptrace_traceme()',
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all', 'treatment-default'],
  {
    arms: ['control-default', 'treatment-all', 'treatment-default'],
    who: insidePod,
    calls: () => [call('ptrace', [PTRACE_TRACEME, 0, 0, 0], 'ptrace(PTRACE_TRACEME)')],
  },
);
