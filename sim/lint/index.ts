/**
 * The linter: manifests and files of subordinate ids → findings and verdicts. Pure: text in, data out. It is an entry of its own, so that
 * starting a pod loads none of it.
 */

export type {CapabilityFacts, CapabilityWorth, ReviewedCapability} from './capability-review.ts';
/** What each capability is worth in a user namespace. */
export {capabilityFacts} from './capability-review.ts';
export type {LintFinding, LintSeverity, Mark} from './finding.ts';
export type {FileSystemName, IdmapSupport} from './idmap-file-systems.ts';
/** Which file systems can be mounted with shifted ids, since which kernel. */
export {idmapSupport} from './idmap-file-systems.ts';
export type {LintManifestOptions, PodSecurityTarget} from './lint-manifest.ts';
/** Manifests → findings, and → verdicts: can a workload take `hostUsers: false`, and what would it take? */
export {lintManifest, reviewManifest} from './lint-manifest.ts';
export type {LintSubordinateOptions} from './lint-subordinate.ts';
/** Files like /etc/subuid → findings. */
export {lintSubordinateFile} from './lint-subordinate.ts';
export type {MigrationStep} from './migration.ts';
export type {Cluster, ClusterWords, Component, OciRuntimeName, RuntimeName, Version} from './node-versions.ts';
/** What a cluster runs, read from words such as `containerd:1.7`. */
export {readCluster} from './node-versions.ts';
export type {PodSecurityLevel} from './pod-security.ts';
export type {Blocker, Caution, PodSecurityReview, WorkloadReview} from './review.ts';
export type {LintRule, RuleExample} from './rules/rule.ts';
export type {RuleId} from './rules.ts';
/** Every rule as data, with an example and a counter-example. */
export {lintRules, ruleIds} from './rules.ts';
export type {PodNeeds, SkewAnswer, SkewLayer, SkewReason, UsernsOutcome} from './skew.ts';
/** Honoured, ignored, pending or rejected: what `hostUsers: false` comes to with these versions. */
export {predictUserns} from './skew.ts';
