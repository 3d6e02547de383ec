import type {ErrorEntry} from './errors.ts';

/**
 * Every error subroot can raise: the public contract of codes. docs/errors.md is generated from this table and a test holds both in step.
 * Grouped by subject; a code never changes its meaning.
 */
export const errorRegister = {
  // ── command line
  SUBROOT_USAGE: {kind: 'usage', layer: 'command line', message: '{what}', mend: '{mend}', grpc: 'INVALID_ARGUMENT'},
  // ── id maps
  SUBROOT_IDMAP_TEXT: {
    kind: 'config',
    layer: 'agent',
    message: 'cannot read the id map {source}, line {line} ({field}): {why}',
    mend: 'write one line per range: first id inside, first id outside, count, in plain decimal (`0 100000 65536`)',
    grpc: 'INVALID_ARGUMENT',
  },
  SUBROOT_IDMAP_UNWRITABLE: {
    kind: 'usage',
    layer: 'agent',
    message: 'this id map cannot be written (line {line}): {why}',
    mend: 'choose ranges of 1 or more ids that do not overlap, up to 4294967294, in at most 340 lines and 4095 bytes',
    grpc: 'INVALID_ARGUMENT',
  },
  // ── ours
  SUBROOT_INTERNAL: {
    kind: 'internal',
    layer: 'agent',
    message: 'subroot has a bug: {what}',
    mend: 'report it with the output of `subroot doctor --output json`',
    grpc: 'INTERNAL',
  },
} as const satisfies Record<string, ErrorEntry>;
