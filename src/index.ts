/** Pods in user namespaces of their own, from Node: `createNode`, `node.runPod`, `` pod.$`…` ``. */

export type {RuntimeService} from '../native-free/cri.ts';
export type {ErrorCode, ErrorKind, ErrorLayer} from '../native-free/errors.ts';
export {SubrootError} from '../native-free/errors.ts';
export type {IdMap, IdMapping} from '../native-free/id-map.ts';
export {
  ApiObjects,
  type BackOffLimits,
  type ContainerStatusNow,
  type Pod,
  type PodEvent,
  type PodPhase,
  type PodStatus,
  parseManifests,
  type SuperviseOptions,
} from '../sim/index.ts';
export type {ImageManager, PullOptions} from './images/image-manager.ts';
export type {PullProgress, RegistryOptions} from './images/pull-progress.ts';
export type {Evidence, SideBySide} from './node/evidence.ts';
export {
  type CallOptions,
  createNode,
  type GcReport,
  hasCode,
  PodNode,
  type RunPodOptions,
  type StopOptions,
} from './node/node.ts';
export type {ContainerInput, NodeOptions, ObjectsInput, PodInput} from './node/node-options.ts';
export type {PodSummary} from './node/pod-list.ts';
export {type PodPlan, planPod} from './node/pod-plan.ts';
export {type ContainerOverview, type ExecOptions, type PodIdMap, PodView, RunningPod} from './node/running-pod.ts';
export type {Supervision} from './node/supervision.ts';
export type {Terminal} from './pty/terminal.ts';
export type {LogRecord} from './runtime/log-reader.ts';
export {stateRoot} from './state-root.ts';
export type {Mode} from './userns/mode.ts';
