import type {ErrorEntry} from './errors.ts';

/**
 * Every error subroot can raise: the public contract of codes. docs/errors.md is generated from this table and a test holds both in step.
 * Grouped by subject; a code never changes its meaning.
 */
export const errorRegister = {
  // ── command line
  SUBROOT_USAGE: {kind: 'usage', layer: 'command line', message: '{what}', mend: '{mend}', grpc: 'INVALID_ARGUMENT'},
  // ── ours
  SUBROOT_INTERNAL: {
    kind: 'internal',
    layer: 'agent',
    message: 'subroot has a bug: {what}',
    mend: 'report it with the output of `subroot doctor --output json`',
    grpc: 'INTERNAL',
  },
} as const satisfies Record<string, ErrorEntry>;
