import {attack, byDesign} from '../define.ts';

/** Told, and not tried: it would change the machine. */
export const corePatternPipe = byDesign({
  id: 'core-pattern-pipe',
  title: "a handler of core files runs as the host's root when the pod crashes",
  group: 8,
  gain: 'bugs of that program: it reads memory and names that the pod chose',
  attempt: 'none: it would need a change of kernel.core_pattern for all',
  rule: 'fs/coredump.c do_coredump(): a pattern that begins with | starts its program in the initial namespaces',
  references: [attack('T1068')],
  insteadUse: 'a handler that gives up its rights; RLIMIT_CORE does not stop one',
});
