/** The rules, for any OS: what the kernel, newuidmap and the kubelet would answer. */
export type {ErrorCode, ErrorDetails, ErrorEntry, ErrorKind, ErrorLayer, GrpcStatus} from './errors.ts';
export {
  ConfigError,
  HostError,
  InternalError,
  printable,
  StateError,
  SubrootError,
  subrootError,
  ToolError,
  UsageError,
} from './errors.ts';
export type {
  ChainStep,
  ChainTranslation,
  IdMap,
  IdMapFacts,
  IdMapOverlap,
  IdMapProblem,
  IdMapProblemRule,
  IdMapping,
  IdMapReading,
  ParsedIdMap,
} from './id-map.ts';
export {
  compose,
  composeChain,
  composeStrict,
  containerRanges,
  describeIdMap,
  findIdMapProblem,
  findOverlap,
  findWriteProblem,
  formatIdMap,
  formatProcIdMap,
  hostRanges,
  IDENTITY_MAP,
  idCount,
  isIdentity,
  MAX_MAP_BYTES,
  parseIdMap,
  requireIdMap,
  toContainerId,
  toHostId,
  translateChain,
} from './id-map.ts';
export type {IdRange} from './id-range.ts';
export {countIds, formatRanges, intersect, normalizeRanges, subtract} from './id-range.ts';
export type {Id} from './ids.ts';
export {BLOCK_SIZE, INVALID_ID, isId, MAX_EXTENTS, MAX_ID, OVERFLOW_ID, parseId} from './ids.ts';
export type {
  Delegation,
  DelegationAnswer,
  ShadowVersion,
  SubordinateConflict,
  SubordinateEffect,
  SubordinateIds,
  SubordinateOwner,
  SubordinateProblem,
  SubordinateRange,
} from './subordinate-ids.ts';
export {
  findSubordinateConflicts,
  mayDelegate,
  parseSubordinateIds,
  rangesOf,
  toIdRange,
} from './subordinate-ids.ts';
