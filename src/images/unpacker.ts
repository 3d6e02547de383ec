import {createHash} from 'node:crypto';
import {constants, mkdirSync, openSync, rmSync} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import {Socket} from 'node:net';
import {join} from 'node:path';
import {SubrootError, subrootError} from '../../native-free/errors.ts';
import {type Agent, AgentFailure, type Launched} from '../host/agent.ts';
import {guarded, makeFolder} from '../host/state-files.ts';
import type {Step} from '../host/step.ts';
import type {PodMappings} from '../runtime/mappings.ts';
import type {Planner} from '../runtime/planner.ts';
import {explainStep} from '../runtime/step-failure.ts';
import {openPlain} from './decompress.ts';
import type {ImageStore, LayerRecord} from './image-store.ts';
import {LayerCheck, type LayerContents} from './layer-check.ts';
import type {LayerView} from './layer-view.ts';
import {planUnpack, planWhiteouts, type UnpackPlanInput} from './unpack-plan.ts';

/** Whiteouts that one program is started for: its plan is one line. */
const WHITEOUTS_AT_ONCE = 1000;

export interface UnpackerParts {
  readonly agent: Agent;
  readonly planner: Planner;
  readonly groups: '' | '-';
  /** Where FIFOs may be made. */
  readonly fifos: string;
}

export interface LayerSource {
  /** Digest of the plain tar. */
  readonly diffId: string;
  /** Digest of the blob, for messages. */
  readonly digest: string;
  readonly path: string;
}

export interface LayerHooks {
  readonly signal?: AbortSignal;
  /** Bytes of the plain tar that have been read. */
  readonly onProgress?: (bytes: number) => void;
}

/** Whom a layer's plain bytes go to, beside the check. */
type Sink = (bytes: Uint8Array) => Promise<void>;

/**
 * Reads a layer's blob to its end: decompresses it, looks at every entry, and checks the digest of what comes out. Errors:
 * SUBROOT_IMAGE_UNSAFE, SUBROOT_IMAGE_IDS, SUBROOT_IMAGE_INVALID, SUBROOT_IMAGE_DIGEST, and the sink's.
 */
export async function readLayer(
  {path, digest, diffId}: LayerSource,
  options: LayerHooks & {readonly ids?: number},
  sink: Sink = async () => {},
): Promise<LayerContents> {
  const {signal, onProgress, ids} = options;
  signal?.throwIfAborted();
  const check = new LayerCheck({layer: digest, ...(ids === undefined ? {} : {ids})});
  const [algorithm = 'sha256', wanted = ''] = diffId.split(':');
  const hash = createHash(algorithm);
  const plain = await openPlain(path).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'it is not there' : `it cannot be read (${error.code})`;
    throw subrootError('SUBROOT_IMAGE_STORE_DAMAGED', {path, why}, error);
  });
  let size = 0;
  try {
    for await (const chunk of plain) {
      const bytes = chunk as Buffer;
      signal?.throwIfAborted();
      hash.update(bytes);
      size += bytes.length;
      await check.write(bytes);
      await sink(bytes);
      onProgress?.(size);
    }
  } catch (error) {
    signal?.throwIfAborted();
    const {code = ''} = error as NodeJS.ErrnoException;
    if (error instanceof SubrootError || !/^(Z_|ERR_|Z)/.test(code)) throw error;
    throw subrootError(
      'SUBROOT_IMAGE_INVALID',
      {image: digest, what: 'its layer cannot be decompressed', why: (error as Error).message},
      error,
    );
  } finally {
    plain.destroy();
  }
  const contents = await check.end();
  const found = hash.digest('hex');
  if (found !== wanted) {
    throw subrootError('SUBROOT_IMAGE_DIGEST', {
      what: `the layer ${digest}, unpacked,`,
      wanted: diffId,
      found: `${algorithm}:${found}`,
    });
  }
  return contents;
}

/**
 * Unpacks layers, each in a process that is nobody on this machine: a user namespace of a block of ids that nobody else has, all other
 * namespaces of its own, and no file to write but those of the layer.
 */
export class Unpacker {
  readonly #parts: UnpackerParts;
  readonly #holder: Launched;
  readonly #view: LayerView;
  readonly #mappings: PodMappings;
  readonly #kill: () => void;
  readonly #signal: AbortSignal | undefined;
  static #next = 0;

  private constructor(
    parts: UnpackerParts,
    holder: Launched,
    view: LayerView,
    mappings: PodMappings,
    signal: AbortSignal | undefined,
  ) {
    this.#parts = parts;
    this.#holder = holder;
    this.#view = view;
    this.#mappings = mappings;
    this.#signal = signal;
    // What is being unpacked dies with it, and whoever feeds it then hears of it.
    this.#kill = () => void this.#end().catch(() => {});
    signal?.addEventListener('abort', this.#kill, {once: true});
  }

  /** Makes the namespaces. `mappings` is what they map: those of the view, or, where ids are shifted, any block that is free. */
  static async open(
    parts: UnpackerParts,
    view: LayerView,
    mappings: PodMappings,
    signal?: AbortSignal,
  ): Promise<Unpacker> {
    signal?.throwIfAborted();
    const {agent, planner, groups} = parts;
    const steps = [...planner.userns({mappings, groups}), ...planner.sandbox(undefined, {bound: true})];
    const holder = await explained(agent.launch({holder: '1'}, steps), steps);
    return new Unpacker(parts, holder, view, mappings, signal);
  }

  /** Unpacks a layer into the store, unless it is there. Errors: as readLayer's, SUBROOT_IMAGE_UNPACK, SUBROOT_STATE_*. */
  async unpack(store: ImageStore, source: LayerSource, hooks: LayerHooks): Promise<void> {
    if (store.hasLayer(this.#view.name, source.diffId)) return;
    const folder = store.temporary('layer');
    const tree = join(folder, 'tree');
    const {agent} = this.#parts;
    guarded(folder, () => {
      mkdirSync(folder, {mode: 0o700});
      mkdirSync(tree, {mode: 0o755});
    });
    try {
      if (this.#view.kind !== 'shifted') {
        const {uids, gids} = this.#mappings;
        await agent.request('chown', [String(uids.hostId), String(gids.hostId), tree]);
      }
      const record = await this.#fill(tree, source, hooks);
      await syncFolder(folder);
      if (store.adoptLayer(this.#view.name, record, folder)) return;
    } catch (error) {
      await this.#remove(folder);
      throw error;
    }
    await this.#remove(folder);
  }

  async #remove(folder: string): Promise<void> {
    await this.#parts.agent.request('remove', [folder]).catch(() => {});
  }

  async #fill(tree: string, source: LayerSource, hooks: LayerHooks): Promise<LayerRecord> {
    const {planner, groups} = this.#parts;
    const input: UnpackPlanInput = {
      userland: planner.userland,
      holderPid: this.#holder.pid,
      folder: tree,
      idmapped: this.#view.kind === 'shifted',
      groups,
    };
    const isSingle = this.#view.kind === 'single';
    const program = await this.#start(planUnpack({...input, single: isSingle}), source.digest);
    let contents: LayerContents | undefined;
    let failure: unknown;
    try {
      const ids = isSingle ? {} : {ids: this.#mappings.uids.length};
      contents = await readLayer(source, {...hooks, ...ids}, (bytes) => program.write(bytes));
    } catch (error) {
      failure = error;
    }
    const {exitCode, stderr} = await program.end(failure !== undefined);
    hooks.signal?.throwIfAborted();
    // A program that ended early breaks the pipe: why it did says more.
    const isBrokenPipe = (failure as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
    if (failure !== undefined && !isBrokenPipe) throw failure;
    this.#requireGood(source, exitCode, stderr, contents?.devices ?? []);
    if (contents === undefined) throw failure;
    const {whiteouts} = contents;
    for (let from = 0; from < whiteouts.length; from += WHITEOUTS_AT_ONCE) {
      const marks = await this.#start(
        planWhiteouts(input, whiteouts.slice(from, from + WHITEOUTS_AT_ONCE)),
        source.digest,
      );
      const end = await marks.end(false);
      this.#requireGood(source, end.exitCode, end.stderr, []);
    }
    return {
      diffId: source.diffId,
      bytes: contents.bytes,
      entries: contents.entries,
      devices: contents.devices.length,
      // Overlayfs takes no notice of it there: whoever stacks layers leaves out those below.
      isOpaque: whiteouts.some(({folder, name}) => folder === '' && name === undefined),
    };
  }

  /** Throws unless tar ended well, or only could not make device nodes. */
  #requireGood({digest}: LayerSource, exitCode: number, stderr: string, devices: readonly string[]): void {
    if (exitCode === 0) return;
    const lines = stderr.split('\n').filter((line) => line !== '');
    const nodes = lines.filter((line) => /: Cannot mknod: Operation not permitted$/.test(line));
    const others = lines.filter((line) => !nodes.includes(line) && !/Exiting with failure status/.test(line));
    if (exitCode === 2 && others.length === 0 && nodes.length > 0 && nodes.length <= devices.length) return;
    const why = others.slice(0, 3).join('; ') || `exit code ${exitCode}`;
    throw subrootError('SUBROOT_IMAGE_UNPACK', {layer: digest, why: why.slice(0, 600)});
  }

  /** Starts a program in the confinement, with a standard input that we write. */
  async #start(steps: readonly Step[], digest: string) {
    const {agent, fifos} = this.#parts;
    const folder = join(fifos, `${process.pid}-image-${Unpacker.#next++}`);
    makeFolder(folder, 0o700);
    agent.tell('leftover', [folder]);
    const input = join(folder, 'in');
    let writer: FileHandle | undefined;
    let errors: ReturnType<typeof collected> | undefined;
    const close = async () => {
      await writer?.close().catch(() => {});
      writer = undefined;
    };
    const forget = () => {
      rmSync(folder, {recursive: true, force: true});
      agent.tell('keep', [folder]);
    };
    try {
      await agent.request('fifos', [input, join(folder, 'err')]);
      errors = collected(join(folder, 'err'));
      // Both ends, so that it opens at once and the reader finds a writer; then ours alone, so that we hear when the reader is gone.
      const both = await open(input, constants.O_RDWR);
      let launched: Launched;
      try {
        const {pid, startTime} = this.#holder;
        launched = await explained(agent.launch({in: `${pid}:${startTime}`, fifo: folder}, steps), steps, digest);
        writer = await open(input, constants.O_WRONLY);
      } finally {
        await both.close();
      }
      const {exited} = launched;
      const stderr = errors;
      return {
        write: async (bytes: Uint8Array) => {
          for (let done = 0; done < bytes.length; ) {
            const {bytesWritten} = (await writer?.write(bytes, done)) ?? {bytesWritten: 0};
            done += bytesWritten;
          }
        },
        /** Ends its input and waits for it; `cut`: its input was not whole, and it is to end without having understood it. */
        end: async (cut: boolean) => {
          await close();
          if (cut) await agent.request('kill', [String(launched.pid), launched.startTime, '9']).catch(() => {});
          const {exitCode} = await agent.await(exited);
          const text = await stderr.text;
          forget();
          return {exitCode, stderr: text};
        },
      };
    } catch (error) {
      await close();
      errors?.destroy();
      forget();
      throw error;
    }
  }

  async #end(): Promise<void> {
    const {pid, startTime} = this.#holder;
    try {
      await this.#parts.agent.request('kill', [String(pid), startTime, '9']);
    } catch (error) {
      if (!(error instanceof AgentFailure) || error.errno !== 'ESRCH') throw error;
    }
    await this.#parts.agent.await(this.#holder.exited);
  }

  /** Ends its namespaces and whatever is left in them. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#kill);
    await this.#end();
  }
}

async function explained<Result>(launching: Promise<Result>, steps: readonly Step[], layer?: string): Promise<Result> {
  try {
    return await launching;
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error;
    const step = steps[error.step];
    if (layer !== undefined && (step?.[0] === 'whiteout' || step?.[0] === 'opaque')) {
      const why =
        error.errno === 'EOPNOTSUPP' || error.errno === 'ENOTSUP'
          ? 'the file system of the store has no extended attributes of users'
          : `the whiteout ${step.slice(1).join('/')}: ${error.text}`;
      throw subrootError('SUBROOT_IMAGE_UNPACK', {layer, why}, error);
    }
    throw explainStep(error, steps, 'unpack a layer');
  }
}

/** The text that a program writes to a FIFO, at most 64 KiB of it. */
function collected(path: string): {readonly text: Promise<string>; destroy(): void} {
  // A reader must be there before the writer opens, and must not wait for it.
  const socket = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < 65_536) text += chunk;
  });
  return {
    text: new Promise((resolve) => {
      socket.on('error', () => resolve(text));
      socket.on('close', () => resolve(text));
    }),
    destroy: () => socket.destroy(),
  };
}

/** Has everything of a folder's file system on disk: the layer's files must be there before its name is. */
async function syncFolder(folder: string): Promise<void> {
  const {runTool} = await import('../host/tool.ts');
  await runTool('sync', ['-f', folder], {timeoutMs: 120_000});
}
