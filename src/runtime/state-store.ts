import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import {join} from 'node:path';
import type {ContainerConfig, LinuxContainerResources, PodSandboxConfig} from '../../native-free/cri.ts';
import {subrootError} from '../../native-free/errors.ts';
import type {IdMap} from '../../native-free/id-map.ts';
import type {ProcessIdentity} from '../host/agent.ts';
import {errnoOf, guarded, makeFolder} from '../host/state-files.ts';
import type {Mode} from '../userns/mode.ts';
import type {ContainerUser} from './container-user.ts';
import type {ContainerImage} from './image-source.ts';
import type {SeccompFilter} from './sandbox-plan.ts';

/** The version of the layout below; a folder of a newer one is refused, never guessed at. */
export const STATE_VERSION = 1;

/** What is known of a sandbox, as stored in sandboxes/ID/state.json. */
export interface SandboxRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  readonly mode: Mode;
  /** Nanoseconds since the epoch, as a decimal text. */
  readonly createdAt: string;
  readonly bootId: string;
  /** Maps from the ids of `config` to those of the namespace subroot was started in, where the two differ. */
  readonly outer?: {readonly uid: IdMap; readonly gid: IdMap};
  /** The holder: pid 1 of the pod. Absent until it runs and after it was stopped. */
  readonly holder?: ProcessIdentity;
  /** Set when the pod dies with the process that made it. */
  readonly boundTo?: ProcessIdentity;
  readonly stopped?: boolean;
}

/** What is known of a container, as stored in containers/ID/state.json. */
export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly logPath: string;
  readonly createdAt: string;
  /** When the first container of its name was made in its sandbox, if that is another: containers keep their place when they are started again. */
  readonly firstAt?: string;
  readonly startedAt?: string;
  readonly init?: ProcessIdentity;
  /** Who records the end of `init`. */
  readonly supervisor?: ProcessIdentity;
  /** Why it never ran: the container is EXITED with reason StartError. */
  readonly startError?: {readonly message: string; readonly finishedAt: string; readonly exitCode: number};
  /** The filter of its programs, compiled when it was made: what is exec'ed later gets the same, whatever became of the profile's file. */
  readonly seccomp?: SeccompFilter;
  /** Folders of its control groups, one for each hierarchy; absent: it has none of its own. */
  readonly cgroups?: readonly string[];
  /** What of the request's resources is enforced, with later updates; absent: nothing but the OOM score. */
  readonly resources?: LinuxContainerResources;
  /** Who its programs are, as read from the image when it was made. */
  readonly user?: ContainerUser;
  /** The image of the store that it runs on. What the image says of its program is in `config` already. */
  readonly image?: Pick<ContainerImage, 'id' | 'lowers' | 'isShifted' | 'usePath'>;
  /** What a program that joins it gets: capabilities, ids, environment. */
  readonly argv: readonly string[];
}

/** What the process that looks after a pod says of it: sandboxes/ID/supervision.json. */
export interface SupervisionRecord {
  readonly owner: ProcessIdentity;
  /** Nothing more comes: the pod has ended. Without it the record says nothing any more once its owner is dead. */
  readonly isOver: boolean;
  /** The kubelet's part of the state, in its own shape. */
  readonly status: unknown;
}

/** The exit of a container's init, as its supervisor wrote it. */
export interface ExitRecord {
  readonly exitCode: number;
  readonly signal: number;
  readonly finishedAt: string;
}

export type NameKind = 'sandbox' | 'container' | 'pod';

/** Who has a name: the id it is for, and the process that took it. */
export interface NameHolder {
  readonly path: string;
  readonly id: string;
  readonly owner: ProcessIdentity;
  /** True for the file that says that a pod's start goes on. */
  readonly isStartMark: boolean;
}

/**
 * The state of all pods of one node, as files: a folder per sandbox and per container, each record replaced atomically, so that
 * any process can read it at any time and a crash leaves either the old or the new. Modes are 0700 and 0600.
 */
export class StateStore {
  readonly root: string;
  /** Records this process wrote, with the file each was written to: any process may replace it by another. */
  readonly #records = new Map<string, {readonly stat: Stats; readonly record: object}>();

  private constructor(root: string) {
    this.root = root;
  }

  /** Opens or makes a state folder. Errors: SUBROOT_STATE_NEWER, _READ_ONLY, _DISK_FULL, _FORBIDDEN, _CORRUPT, _IO. */
  static open(root: string): StateStore {
    makeFolder(root, 0o711);
    if (!checkVersion(root)) {
      for (const folder of ['sandboxes', 'containers', 'names', 'fifos', 'logs']) makeFolder(join(root, folder), 0o700);
      const versionFile = join(root, 'version');
      guarded(versionFile, () => replaceFile(versionFile, `${JSON.stringify({version: STATE_VERSION})}\n`));
    }
    return new StateStore(root);
  }

  /** A state folder to look at: nothing is made, and one that is not there has no pods. Errors: SUBROOT_STATE_NEWER, _CORRUPT. */
  static openToRead(root: string): StateStore {
    checkVersion(root);
    return new StateStore(root);
  }

  sandboxFolder(id: string): string {
    return join(this.root, 'sandboxes', id);
  }

  containerFolder(id: string): string {
    return join(this.root, 'containers', id);
  }

  writeSandbox(record: SandboxRecord): void {
    this.#writeRecord(this.sandboxFolder(record.id), record);
  }

  writeContainer(record: ContainerRecord): void {
    const {id, sandboxId} = record;
    // Before the container's own folder, so that whoever removes the sandbox finds it.
    if (!this.#records.has(this.#recordOf(this.containerFolder(id)))) markFile(join(this.sandboxFolder(sandboxId), id));
    this.#writeRecord(this.containerFolder(id), record);
  }

  #writeRecord(folder: string, record: object): void {
    guarded(folder, () => {
      const path = this.#recordOf(folder);
      const text = `${JSON.stringify(record)}\n`;
      if (this.#records.has(path)) replaceFile(path, text);
      else {
        try {
          mkdirSync(folder, {mode: 0o700});
        } catch (error) {
          if (errnoOf(error) !== 'EEXIST') throw error;
        }
        replaceFile(path, text);
      }
      const stat = statSync(path, {throwIfNoEntry: false});
      if (stat) this.#records.set(path, {stat, record});
    });
  }

  #recordOf(folder: string): string {
    return join(folder, 'state.json');
  }

  /** A record as it is on disk now; not read again where it is still the file that we wrote. */
  #readRecord<Result extends object>(folder: string, required: readonly string[]): Result | undefined {
    const path = this.#recordOf(folder);
    const own = this.#records.get(path);
    if (own === undefined) return readRecord<Result>(path, required);
    const now = statSync(path, {throwIfNoEntry: false});
    if (now && now.ino === own.stat.ino && now.mtimeMs === own.stat.mtimeMs && now.size === own.stat.size)
      return own.record as Result;
    this.#records.delete(path);
    return readRecord<Result>(path, required);
  }

  /** The record of a sandbox, or undefined when there is none. Throws SUBROOT_STATE_CORRUPT. */
  readSandbox(id: string): SandboxRecord | undefined {
    const folder = this.sandboxFolder(id);
    const record = this.#readRecord<SandboxRecord>(folder, ['id', 'config', 'createdAt']);
    const started = record && !record.holder && !record.stopped ? readStarted(folder) : undefined;
    return record && started ? {...record, holder: started.process} : record;
  }

  /** The record of a container, or undefined when there is none. Throws SUBROOT_STATE_CORRUPT. */
  readContainer(id: string): ContainerRecord | undefined {
    const folder = this.containerFolder(id);
    const record = this.#readRecord<ContainerRecord>(folder, ['id', 'sandboxId', 'config', 'createdAt']);
    const started = record && !record.init && !record.startError ? readStarted(folder) : undefined;
    if (!record || !started) return record;
    return {...record, startedAt: record.createdAt, init: started.process, supervisor: started.supervisor};
  }

  /** True for the one caller, of all processes, that may start a container. */
  claimStart(id: string): boolean {
    const path = join(this.containerFolder(id), 'starting');
    return guarded(path, () => {
      try {
        closeSync(openSync(path, 'wx', 0o600));
        return true;
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') return false;
        throw error;
      }
    });
  }

  /** True when a container's end is on record, readable or not. */
  hasExit(id: string): boolean {
    return existsSync(join(this.containerFolder(id), 'exit'));
  }

  readExit(id: string): ExitRecord | undefined {
    return readRecord<ExitRecord>(join(this.containerFolder(id), 'exit'), ['exitCode', 'finishedAt']);
  }

  /** Replaces what is known of a pod's life; nothing when the sandbox is gone. */
  writeSupervision(id: string, record: SupervisionRecord): void {
    const folder = this.sandboxFolder(id);
    if (existsSync(folder))
      guarded(folder, () => replaceFile(join(folder, 'supervision.json'), JSON.stringify(record)));
  }

  hasSupervision(id: string): boolean {
    return existsSync(join(this.sandboxFolder(id), 'supervision.json'));
  }

  removeSupervision(id: string): void {
    rmSync(join(this.sandboxFolder(id), 'supervision.json'), {force: true});
  }

  /** Undefined where nobody has looked after it. Throws SUBROOT_STATE_CORRUPT. */
  readSupervision(id: string): SupervisionRecord | undefined {
    return readRecord<SupervisionRecord>(join(this.sandboxFolder(id), 'supervision.json'), [
      'owner',
      'isOver',
      'status',
    ]);
  }

  /** Tells whoever looks after a pod that it is being stopped, so that nothing is started again. */
  markStopping(id: string): void {
    markFile(join(this.sandboxFolder(id), 'stopping'));
  }

  isStopping(id: string): boolean {
    return existsSync(join(this.sandboxFolder(id), 'stopping'));
  }

  sandboxIds(): string[] {
    return listFolder(join(this.root, 'sandboxes'));
  }

  /** Ids of the containers made in a sandbox; some may be gone. */
  containerIdsOf(sandboxId: string): string[] {
    return listFolder(this.sandboxFolder(sandboxId)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  containerIds(): string[] {
    return listFolder(join(this.root, 'containers'));
  }

  removeSandbox(id: string): void {
    this.#records.delete(this.#recordOf(this.sandboxFolder(id)));
    for (const folder of [this.sandboxFolder(id), this.#retiredFolder(id)]) guarded(folder, () => removeFlat(folder));
  }

  /**
   * Takes a sandbox's folder out of the way in one step, so that a supervisor that is about to start something in it fails, and answers
   * the process that was started by then. For a sandbox whose start was never finished; removeSandbox is still to be called.
   */
  retireSandbox(id: string): ProcessIdentity | undefined {
    const retired = this.#retiredFolder(id);
    try {
      renameSync(this.sandboxFolder(id), retired);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    return readStarted(retired)?.process;
  }

  /** Sandboxes that somebody began to retire and did not remove. */
  retiredIds(): string[] {
    return readdirSync(join(this.root, 'sandboxes')).flatMap((name) => (name.startsWith('.') ? [name.slice(1)] : []));
  }

  #retiredFolder(id: string): string {
    return join(this.root, 'sandboxes', `.${id}`);
  }

  removeContainer(id: string): void {
    const folder = this.containerFolder(id);
    this.#records.delete(this.#recordOf(folder));
    guarded(folder, () => removeFlat(folder));
  }

  /**
   * Takes a name for an id, on behalf of a process; answers who has it when it is taken. Atomic between processes. A name whose id has
   * no record yet is its process's to use, as long as that lives.
   */
  reserveName(kind: NameKind, name: string, id: string, owner: ProcessIdentity): NameHolder | undefined {
    const path = this.namePath(kind, name);
    return guarded(path, () => {
      const mark = startMark(path, id);
      let isTaken = true;
      writeFileSync(mark, `${id} ${owner.pid} ${owner.startTime}`, {mode: 0o600});
      try {
        linkSync(mark, path);
        isTaken = false;
        return undefined;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        return readName(path) ?? this.reserveName(kind, name, id, owner);
      } finally {
        // That of a pod stays until its start is finished.
        if (kind !== 'pod' || isTaken) rmSync(mark, {force: true});
      }
    });
  }

  /** Says that the start of the pod that took this name is finished. */
  finishStart(name: string, id: string): void {
    rmSync(startMark(this.namePath('pod', name), id), {force: true});
  }

  /** Where reserveName and finishStart mark a start that goes on. */
  startMarkPath(name: string, id: string): string {
    return startMark(this.namePath('pod', name), id);
  }

  /** Gives a name back, when it is that id's. */
  releaseName(kind: NameKind, name: string, id: string): void {
    const path = this.namePath(kind, name);
    if (readName(path)?.id === id) rmSync(path, {force: true});
    if (kind === 'pod') rmSync(startMark(path, id), {force: true});
  }

  /** All names that are taken. */
  names(): readonly NameHolder[] {
    return listFolder(join(this.root, 'names')).flatMap((file) => readName(join(this.root, 'names', file)) ?? []);
  }

  /** The file that holds a name: names may have any length and any character, so it is called by their digest. */
  namePath(kind: NameKind, name: string): string {
    return join(this.root, 'names', digestOf(`${kind}\0${name}`));
  }
}

function startMark(namePath: string, id: string): string {
  return `${namePath}.${id.slice(0, 12)}`;
}

/** What the supervisor of a detached program wrote before the program ran: itself and the program. */
function readStarted(folder: string): {process: ProcessIdentity; supervisor: ProcessIdentity} | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, 'started'), 'utf8');
  } catch {
    return undefined;
  }
  const [pid = '', startTime = '', supervisorPid = '', supervisorStart = ''] = text.split(' ');
  return {
    process: {pid: Number(pid), startTime},
    supervisor: {pid: Number(supervisorPid), startTime: supervisorStart},
  };
}

/** True when the folder has the version that we know, false when it has none. Throws SUBROOT_STATE_NEWER, _CORRUPT. */
function checkVersion(root: string): boolean {
  const path = join(root, 'version');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return false;
  }
  if (text.trim() === '') return false;
  let version: unknown;
  try {
    version = (JSON.parse(text) as {version?: unknown}).version;
  } catch {
    throw subrootError('SUBROOT_STATE_CORRUPT', {path, why: 'it is not JSON'});
  }
  if (typeof version !== 'number') throw subrootError('SUBROOT_STATE_CORRUPT', {path, why: 'it names no version'});
  if (version > STATE_VERSION) throw subrootError('SUBROOT_STATE_NEWER', {path: root, version, known: STATE_VERSION});
  return true;
}

function readName(path: string): NameHolder | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const [id = '', pid = '0', startTime = ''] = text.split(' ');
  const isStartMark = path.includes('.', path.lastIndexOf('/'));
  return {path, id, owner: {pid: Number(pid), startTime}, isStartMark};
}

/** Replaces a file as one step: a reader sees the old or the new. No fsync: pods do not outlive a boot, so neither need this. */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.tmp${process.pid}`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeSync(fd, text);
  } catch (error) {
    rmSync(temporary, {force: true});
    throw error;
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

function readRecord<Record>(path: string, required: readonly string[]): Record | undefined {
  let text: string;
  try {
    // Most that are asked for in vain are not there, and an exception costs ten times as much.
    if (statSync(path, {throwIfNoEntry: false}) === undefined) return undefined;
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw subrootError(errno === 'EACCES' ? 'SUBROOT_STATE_FORBIDDEN' : 'SUBROOT_STATE_IO', {path, errno}, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw subrootError('SUBROOT_STATE_CORRUPT', {path, why: 'it is not JSON'});
  }
  if (typeof value !== 'object' || value === null)
    throw subrootError('SUBROOT_STATE_CORRUPT', {path, why: 'it is not an object'});
  const missing = required.filter((key) => !(key in value));
  if (missing.length > 0) throw subrootError('SUBROOT_STATE_CORRUPT', {path, why: `it lacks ${missing.join(', ')}`});
  return value as Record;
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw subrootError('SUBROOT_STATE_IO', {path, errno: errnoOf(error)}, error);
  }
}

/** Removes a folder that holds plain files only: a tenth of the cost of a recursive removal. */
function removeFlat(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  for (const name of names) {
    try {
      unlinkSync(join(folder, name));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') rmSync(join(folder, name), {recursive: true, force: true});
    }
  }
  try {
    rmdirSync(folder);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') rmSync(folder, {recursive: true, force: true});
  }
}

/** An empty file whose name is the message. Where its folder is gone, nobody asks. */
function markFile(path: string): void {
  try {
    closeSync(openSync(path, 'w', 0o600));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** The first 40 digits of a text's SHA-256. Commands that only look take no name, and node:crypto costs them a tenth of their time. */
function digestOf(text: string): string {
  const {createHash} = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
