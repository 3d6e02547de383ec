/** Pods in user namespaces of their own, from Node: `createNode`, `node.runPod`, `` pod.$`…` ``. */
export {SubrootError} from '../native-free/errors.ts';
export type {ErrorCode, ErrorKind, ErrorLayer} from '../native-free/errors.ts';
export type {IdMap, IdMapping} from '../native-free/id-map.ts';
export type {RuntimeService} from '../native-free/cri.ts';
export {parseManifests, type Pod} from '../sim/index.ts';
export type {Evidence, SideBySide} from './evidence.ts';
export {type CallOptions, type ContainerInput, createNode, type GcReport, hasCode, type NodeOptions, type PodInput, PodNode} from './node.ts';
export type {PodSummary} from './pod-list.ts';
export type {Terminal} from './pty/terminal.ts';
export type {LogRecord} from './runtime/log-reader.ts';
export {type ExecOptions, type PodIdMap, PodView, RunningPod} from './running-pod.ts';
export type {Mode} from './userns/mode.ts';
