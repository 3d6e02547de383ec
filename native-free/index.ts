/** The rules, for any OS: what the kernel, newuidmap and the kubelet would answer. */
export type {CapabilityName, CapabilitySet} from './capability.ts';
export {
  allCapabilities,
  capabilityMask,
  capabilityNames,
  capabilityNumber,
  defaultCapabilities,
  formatCapabilityMask,
  noCapabilities,
  parseCapabilities,
  parseCapability,
  parseCapabilityMask,
} from './capability.ts';
export type {Credentials, CredentialsSeed, UsernsEntry, UsernsRefusal} from './credentials.ts';
export {createUserNamespace, hasCapability, joinUserNamespace, makeCredentials} from './credentials.ts';
/** The CRI shapes, apart because their names (`Container`, `UserNamespace`, …) are common ones. */
export type * as cri from './cri.ts';
export type {Errno} from './errno.ts';
export {errnoNumber, errnoTable, errnoText, findErrno, isErrno} from './errno.ts';
export {errorRegister} from './error-register.ts';
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
export type {Cause, CauseLayer, CauseValues} from './explain/cause.ts';
export type {CauseId} from './explain/causes.ts';
export {causeIds, causes} from './explain/causes.ts';
export {explainCode} from './explain/explain-code.ts';
export type {ExplainedErrno} from './explain/explain-errno.ts';
export {explainErrno} from './explain/explain-errno.ts';
export type {ExplainedText} from './explain/explain-text.ts';
export {explainText} from './explain/explain-text.ts';
export type {Confidence, Explanation} from './explain/explanation.ts';
export type {MapExplanation} from './explain-map-write.ts';
export {explainMapWrite} from './explain-map-write.ts';
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
  OverlapDomain,
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
  AccessAcl,
  AccessAnswer,
  AccessBits,
  AccessClass,
  AccessRefusal,
  AccessWant,
  Inode,
  MountView,
  PathAnswer,
  PathComponent,
} from './inode-access.ts';
export {
  checkAccess,
  checkOpen,
  checkPath,
  mayChangeAttributes,
  mayRemove,
  ownerThroughMount,
} from './inode-access.ts';
export type {
  OwnedIds,
  PlannedIdMap,
  PlanRefusal,
  PseudoHostBlock,
  PseudoHostPlan,
  WantedIds,
} from './plan-id-map.ts';
export {commonBlocks, newidmapArgs, planIdMap, planPseudoHost} from './plan-id-map.ts';
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
export type {
  KnownAccount,
  SubordinateLintFinding,
  SubordinateLintOptions,
  SubordinateLintRule,
} from './subordinate-lint.ts';
export {lintSubordinateIds, lintSubordinatePair, parseAccounts} from './subordinate-lint.ts';
export type {IdKind, SetgroupsState, UserNamespaceOrigin} from './user-namespace.ts';
export {lineage, MAX_USERNS_LEVEL, showIdMap, UserNamespace} from './user-namespace.ts';
export type {
  IdMapFile,
  MapAnswer,
  MapOpen,
  MapRefusal,
  MapWrite,
  SetgroupsAnswer,
  SetgroupsWrite,
  SingleIdFault,
} from './write-id-map.ts';
export {
  checkMapWrite,
  checkSetgroupsWrite,
  findOpenRefusal,
  parseMapWrite,
  writeIdMap,
  writeSetgroups,
} from './write-id-map.ts';
