import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {SubrootError, subrootError} from '../native-free/errors.ts';
import {BLOCK_SIZE} from '../native-free/ids.ts';
import type {IdPool} from './id-pool.ts';
import {defaultPool} from './id-pool.ts';
import type {Claim, ClaimKind, Owner} from './ledger-claims.ts';
import {Claims, checkOwner} from './ledger-claims.ts';
import type {LedgerFs} from './ledger-fs.ts';
import {did, errnoOf, ledgerError, nodeLedgerFs, unless} from './ledger-fs.ts';
import {podUidPattern} from './pod-names.ts';
import type {Random} from './random.ts';
import {systemRandom} from './random.ts';
import type {IdBlock} from './userns-allocator.ts';
import {exhausted, recordProblem, UsernsAllocator} from './userns-allocator.ts';
import {formatUsernsFile, MAX_USERNS_FILE_BYTES, parseUsernsFile} from './userns-file.ts';

/** The layout this code reads and writes. */
export const LEDGER_VERSION = 1;

export interface LedgerOptions {
  /** The folder of the ledger; made when missing, mode 0700. */
  readonly root: string;
  /** Host ids to give out; all 32-bit ids above the first block by default. */
  readonly pool?: IdPool;
  /** A multiple of 65536 (the default). */
  readonly idsPerPod?: number;
  /** The pool must hold at least so many blocks; 1 by default. */
  readonly maxPods?: number;
  /** The process that claims: this one, as the caller knows it. */
  readonly owner: Owner;
  /** Does that process still run? Asked only for owners of this boot, and at most once each in one pass. */
  readonly isAlive: (owner: Owner) => boolean;
  /** Does anything of that pod still run? Asked before a bound block of a dead claimant is freed at opening; without it such a pod counts as dead. */
  readonly isPodAlive?: (podUid: string) => boolean;
  readonly random?: Random;
  /** True: blocks outlive a reboot, and every step is fsynced, as the kubelet does. Default false. */
  readonly durable?: boolean;
  /** How long to wait, blocking, while another process releases the very pod that is asked for; 1000 by default. */
  readonly patienceMs?: number;
  readonly fs?: LedgerFs;
}

export interface LedgerEntry extends IdBlock {
  readonly kind: ClaimKind;
  /** Empty for a prepared block. */
  readonly podUid: string;
  readonly owner: Owner;
}

export interface QuarantinedPod {
  readonly podUid: string;
  readonly path: string;
  readonly reason: string;
  /** What the file names; never handed out while the pod is quarantined. */
  readonly reserved: readonly IdBlock[];
}

type PodFile =
  | {readonly state: 'none'}
  | {readonly state: 'block'; readonly block: IdBlock}
  | {readonly state: 'bad'; readonly why: string; readonly named: readonly IdBlock[]};

const WAIT_STEP_MS = 2;

/**
 * Which pod holds which block, on disk, shared by any number of processes without a daemon or a lock.
 *
 *     version              {"version":1}
 *     pods/<uid>/userns    the kubelet's file, byte for byte, mode 0600
 *     blocks/<id>/<claim>  who claimed the 65536 ids from <id> (ledger-claims.ts)
 *     tmp/                 files in the making
 *
 * A block is claimed before its pod's file is written, and freed after the file is gone. So a file without a claim or a claim without
 * a file is the trace of a crash, and `open` mends it. What cannot be read is set aside (`quarantined`) and stops nothing:
 * its ids stay reserved. The kubelet refuses to start there; the rule behind it, unique ids before availability, is kept.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go, 1.36.
 */
export class Ledger {
  readonly root: string;
  readonly pool: IdPool;
  readonly idsPerPod: number;
  readonly #options: LedgerOptions;
  readonly #fs: LedgerFs;
  readonly #claims: Claims;
  readonly #random: Random;
  #allocator: UsernsAllocator;
  #quarantined = new Map<string, QuarantinedPod>();
  readonly #prepared = new Map<number, Claim>();

  private constructor(options: LedgerOptions) {
    checkOwner(options.owner);
    this.#options = options;
    this.root = options.root;
    this.idsPerPod = options.idsPerPod ?? BLOCK_SIZE;
    this.pool = options.pool ?? defaultPool(this.idsPerPod);
    this.#fs = options.fs ?? nodeLedgerFs;
    this.#random = options.random ?? systemRandom();
    this.#allocator = this.#newAllocator();
    this.#claims = new Claims(this.#fs, this.root, options.owner, (path) => this.#sync(path));
  }

  /**
   * Opens a ledger, makes it when missing, and mends what crashed processes left. Costs one pass over all pods.
   * Errors: SUBROOT_POOL_* for the pool, SUBROOT_LEDGER_VERSION, _CORRUPT, _NO_SPACE, _READ_ONLY, _ACCESS, _IO, _OWNER.
   */
  static open(options: LedgerOptions): Ledger {
    const ledger = new Ledger(options);
    ledger.#makeFolders();
    ledger.#checkVersion();
    ledger.#recover();
    return ledger;
  }

  /** Blocks that can be given out in all. */
  get capacity(): number {
    return this.#allocator.capacity;
  }

  /** The folder of a pod; the kubelet keeps its volumes there too. */
  podDir(podUid: string): string {
    return join(this.root, 'pods', checkUid(podUid));
  }

  /**
   * The pod's block: the one it has, or a fresh one. `bound` says that the pod dies with this process; it matters for a fresh block only.
   * Errors: SUBROOT_POOL_EXHAUSTED, SUBROOT_LEDGER_USERNS_FILE for a pod whose file is bad, SUBROOT_LEDGER_BUSY while
   * another process takes ever longer to release this pod, SUBROOT_LEDGER_POD_UID and the disk's. On an error nothing is left behind.
   */
  getOrCreate(podUid: string, options: {readonly bound?: boolean} = {}): IdBlock {
    return this.acquire(podUid, options).block;
  }

  /** As getOrCreate, and says whether this call made the block: who undoes a start may release only what is `fresh`. */
  acquire(
    podUid: string,
    options: {readonly bound?: boolean} = {},
  ): {readonly block: IdBlock; readonly fresh: boolean} {
    checkUid(podUid);
    for (let waits = 0; ; waits++) {
      const file = this.#readPod(podUid);
      if (file.state === 'bad') throw this.#usernsFileError(podUid, file.why);
      if (file.state === 'block') {
        const held = this.#confirm(podUid, file.block);
        if (held === 'ours') return {block: file.block, fresh: false};
        if (held !== 'changing') throw this.#usernsFileError(podUid, held);
        this.#wait(podUid, file.block.hostId, waits);
        continue;
      }
      const claim = this.#claim(options.bound ? 'bound' : 'pod', podUid);
      const block = this.#blockAt(claim.hostId);
      try {
        if (this.#publish(podUid, block)) return {block, fresh: true};
      } catch (error) {
        this.#abandon(claim);
        throw error;
      }
      this.#abandon(claim);
    }
  }

  /**
   * Gives a pod's block back; false when the pod has none. The caller has made sure that nothing of the pod runs any more.
   * For a quarantined pod the reservation is lifted and its file removed.
   */
  release(podUid: string): boolean {
    checkUid(podUid);
    for (let waits = 0; ; waits++) {
      const file = this.#readPod(podUid);
      if (file.state === 'none') return false;
      if (file.state === 'bad') return this.#releaseBad(podUid, file.named);
      const {hostId} = file.block;
      const claim = this.#claims.find(hostId);
      if (claim === undefined || claim === 'unreadable' || claim.pod !== podUid) {
        // Read again: it may have been released and its block given to the next in between.
        const again = this.#readPod(podUid);
        if (again.state !== 'block' || again.block.hostId !== hostId) continue;
        return this.#releaseBad(podUid, []);
      }
      const mine = this.#takeForRelease(claim);
      if (mine) {
        this.#finishRelease(mine);
        return true;
      }
      this.#wait(podUid, hostId, waits);
    }
  }

  /**
   * Frees what no living pod needs: blocks of an earlier boot (unless durable), blocks whose claimant is dead or is this process and whose
   * pod is not alive, and everything that opening would free. A block of a pod that another living process claimed is left to it,
   * because that pod may be starting right now. Returns the uids released, in no order.
   */
  sweep(options: {readonly isPodAlive: (podUid: string) => boolean}): string[] {
    const isDead = this.#deathOracle();
    this.#recover();
    const released: string[] = [];
    for (const claim of this.#heads()) {
      if (claim.kind === 'prepared' || claim.pod === '' || this.#quarantined.has(claim.pod)) continue;
      if (!this.#mayRelease(claim, options.isPodAlive, isDead)) continue;
      const mine = this.#takeForRelease(claim);
      if (!mine) continue;
      this.#finishRelease(mine);
      released.push(claim.pod);
    }
    return released;
  }

  /**
   * The kubelet's housekeeping: releases every pod that is in neither list.
   * Unlike the kubelet, a running pod keeps its block even when its folder is gone from disk.
   * Source: kubernetes pkg/kubelet/userns/userns_manager.go CleanupOrphanedPodUsernsAllocations, 1.36.
   */
  cleanupOrphaned(known: {readonly pods: Iterable<string>; readonly runningPods: Iterable<string>}): string[] {
    const alive = new Set([...known.pods, ...known.runningPods]);
    return this.sweep({isPodAlive: (podUid) => alive.has(podUid)});
  }

  /** Every block that is claimed now, by any process, ascending by host id. Reads the disk. */
  list(): LedgerEntry[] {
    return this.#heads().map((claim) => ({
      hostId: claim.hostId,
      size: this.#claims.unitsOf(claim).length * BLOCK_SIZE,
      kind: claim.kind,
      podUid: claim.pod,
      owner: claim.owner,
    }));
  }

  /** Pods whose file was bad when this ledger was opened or last swept. */
  quarantined(): QuarantinedPod[] {
    return [...this.#quarantined.values()];
  }

  /**
   * Claims up to `count` blocks for no pod yet, to be handed to pods later; fewer when the pool has no more room.
   * They are freed when this process is gone.
   */
  claimPrepared(count: number): IdBlock[] {
    const blocks: IdBlock[] = [];
    while (blocks.length < count) {
      const claim = this.#tryClaim('prepared', '');
      if (!claim) break;
      this.#prepared.set(claim.hostId, claim);
      blocks.push(this.#blockAt(claim.hostId));
    }
    return blocks;
  }

  /**
   * Hands a prepared block to a pod, in one step. On an error the block stays prepared.
   * Errors: SUBROOT_LEDGER_NOT_PREPARED, SUBROOT_LEDGER_BUSY when the pod has a block already, and the disk's.
   */
  assignPrepared(block: IdBlock, podUid: string, options: {readonly bound?: boolean} = {}): IdBlock {
    checkUid(podUid);
    const claim = this.#prepared.get(block.hostId);
    if (!claim || block.size !== this.idsPerPod) throw notPrepared(block.hostId);
    const assigned = this.#changeAll(claim, options.bound ? 'bound' : 'pod', podUid);
    if (!assigned) {
      this.#prepared.delete(block.hostId);
      throw notPrepared(block.hostId);
    }
    let published = false;
    try {
      published = this.#publish(podUid, block);
    } finally {
      if (published) this.#prepared.delete(block.hostId);
      else this.#prepared.set(block.hostId, this.#changeAll(assigned, 'prepared', '') ?? claim);
    }
    if (!published) {
      throw subrootError('SUBROOT_LEDGER_BUSY', {
        pod: podUid,
        hostId: this.#hostIdOf(podUid),
        why: 'it cannot be given a second one',
      });
    }
    return {hostId: block.hostId, size: block.size};
  }

  /** Gives a prepared block back; false when it is not prepared by this process. */
  releasePrepared(block: IdBlock): boolean {
    const claim = this.#prepared.get(block.hostId);
    if (!claim) return false;
    this.#prepared.delete(block.hostId);
    this.#abandon(claim);
    return true;
  }

  /**
   * What a cleaner may remove when this process was killed and nothing of the pod runs any more: the claim's exact files (their names are
   * unique for ever, so a later claim on the same ids is never touched), and the block's folder, ending in `/`, if it is empty.
   */
  tracesOf(block: IdBlock): string[] {
    return Array.from({length: block.size / BLOCK_SIZE}, (_, unit) => block.hostId + unit * BLOCK_SIZE).flatMap(
      (hostId) => {
        const claim = this.#claims.find(hostId);
        const files = claim === undefined || claim === 'unreadable' ? [] : this.#claims.filesOf(claim);
        return [...files, `${join(this.root, 'blocks', String(hostId))}/`];
      },
    );
  }

  /** Removes this process's own traces in `tmp/`. Blocks stay as they are, and the ledger can still be used. */
  close(): void {
    this.#claims.close();
  }

  // ── folders and the version

  #makeFolders(): void {
    if (this.#fs.size(join(this.root, 'version')) !== undefined) return;
    unless([], 'mkdir', this.root, () => mkdirSync(this.root, {recursive: true, mode: 0o700}));
    for (const name of ['tmp', 'blocks', 'pods']) {
      const path = join(this.root, name);
      did(['EEXIST'], 'mkdir', path, () => this.#fs.mkdir(path));
    }
    // Last, so that a ledger with a version has all its folders.
    this.#writeNew(join(this.root, 'version'), `${JSON.stringify({version: LEDGER_VERSION})}\n`);
    this.#sync(this.root);
  }

  #checkVersion(): void {
    const path = join(this.root, 'version');
    const text = unless([], 'read', path, () => this.#fs.read(path)) ?? '';
    const corrupt = (why: string) => subrootError('SUBROOT_LEDGER_CORRUPT', {path, why});
    let found: unknown;
    try {
      found = (JSON.parse(text) as {version?: unknown} | null)?.version;
    } catch {
      throw corrupt('it is not JSON');
    }
    if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < 1) throw corrupt('it names no version');
    if (found > LEDGER_VERSION) {
      throw subrootError('SUBROOT_LEDGER_VERSION', {path, found, known: LEDGER_VERSION});
    }
  }

  // ── claims

  #newAllocator(): UsernsAllocator {
    const {pool, idsPerPod} = this;
    const maxPods = this.#options.maxPods ?? 1;
    return new UsernsAllocator({pool, idsPerPod, maxPods, random: this.#random});
  }

  #blockAt(hostId: number): IdBlock {
    return {hostId, size: this.idsPerPod};
  }

  #claim(kind: ClaimKind, pod: string): Claim {
    const claim = this.#tryClaim(kind, pod);
    if (claim) return claim;
    const holders = this.#heads().map((head) => head.pod || `prepared by process ${head.owner.pid}`);
    throw exhausted(this.#allocator, holders);
  }

  #tryClaim(kind: ClaimKind, pod: string): Claim | undefined {
    const claim = this.#tryClaimOnce(kind, pod);
    if (claim) return claim;
    // What other processes have freed meanwhile is known to the disk only.
    this.#recover();
    return this.#tryClaimOnce(kind, pod);
  }

  #tryClaimOnce(kind: ClaimKind, pod: string): Claim | undefined {
    let offered: number | undefined;
    // What was offered and refused stays marked: someone else has it.
    const offer = () => (offered = this.#allocator.tryAllocate());
    try {
      return this.#claims.make(kind, pod, this.idsPerPod / BLOCK_SIZE, offer);
    } catch (error) {
      if (offered !== undefined) this.#allocator.free(offered);
      throw error;
    }
  }

  /** Undoes a claim that no pod's file names. Best effort: what a failing disk keeps is freed by the next recovery. */
  #abandon(claim: Claim): void {
    try {
      for (const unit of this.#claims.unitsOf(claim).reverse()) this.#claims.drop(unit);
      this.#allocator.free(claim.hostId);
    } catch (error) {
      if (!(error instanceof SubrootError)) throw error;
    }
  }

  #changeAll(first: Claim, kind: ClaimKind, pod: string): Claim | undefined {
    const [head, ...rest] = this.idsPerPod === BLOCK_SIZE ? [first] : this.#claims.unitsOf(first);
    const changed = head && this.#claims.change(head, {kind, pod});
    if (changed) for (const unit of rest) this.#claims.change(unit, {kind, pod});
    return changed;
  }

  /** The first claim of every block; what cannot be read is skipped. */
  #heads(): Claim[] {
    const heads: Claim[] = [];
    let before: Claim | undefined;
    for (const hostId of this.#claims.units()) {
      const claim = this.#claims.find(hostId);
      if (claim === undefined || claim === 'unreadable') continue;
      if (!before || before.nonce !== claim.nonce || before.hostId + BLOCK_SIZE !== hostId) heads.push(claim);
      before = claim;
    }
    return heads;
  }

  // ── pods' files

  #usernsPath(podUid: string): string {
    return join(this.root, 'pods', podUid, 'userns');
  }

  #usernsFileError(podUid: string, why: string): Error {
    return subrootError('SUBROOT_LEDGER_USERNS_FILE', {pod: podUid, path: this.#usernsPath(podUid), why});
  }

  #readPod(podUid: string): PodFile {
    const path = this.#usernsPath(podUid);
    const bytes = unless(['ENOENT', 'ENOTDIR'], 'stat', path, () => this.#fs.size(path));
    if (bytes === undefined || bytes === 0) return {state: 'none'};
    if (bytes > MAX_USERNS_FILE_BYTES) {
      return {state: 'bad', why: `invalid user namespace mappings file: it has ${bytes} bytes`, named: []};
    }
    const text = unless(['ENOENT'], 'read', path, () => this.#fs.read(path));
    if (text === undefined || text === '') return {state: 'none'};
    const file = parseUsernsFile(text);
    if (!file.ok) return {state: 'bad', why: file.why, named: file.named};
    const why = recordProblem(this.#allocator, file.block.hostId, file.block.size, undefined);
    return why === undefined ? {state: 'block', block: file.block} : {state: 'bad', why, named: [file.block]};
  }

  #hostIdOf(podUid: string): number | string {
    const file = this.#readPod(podUid);
    return file.state === 'block' ? file.block.hostId : 'of its own';
  }

  /** Writes the pod's file; false when the pod has one by now. A zero-byte file is what a power cut leaves, and counts as none. */
  #publish(podUid: string, block: IdBlock): boolean {
    const path = this.#usernsPath(podUid);
    const dir = join(this.root, 'pods', podUid);
    const temp = this.#claims.tempPath();
    let linked = false;
    try {
      this.#write(temp, formatUsernsFile(block));
      while (!linked) {
        did(['EEXIST'], 'mkdir', dir, () => this.#fs.mkdir(dir));
        linked = this.#linkPodFile(temp, path);
        if (!linked && (this.#fs.size(path) ?? 0) > 0) return false;
      }
      this.#sync(dir);
      this.#sync(join(this.root, 'pods'));
      return true;
    } catch (error) {
      if (linked) this.#tryTo(() => this.#fs.unlink(path));
      this.#tryTo(() => this.#fs.rmdir(dir));
      throw error;
    } finally {
      this.#tryTo(() => this.#fs.unlink(temp));
    }
  }

  /** False when a file is in the way: an empty one is out of it now. Also when another process removed the empty folder in between. */
  #linkPodFile(temp: string, path: string): boolean {
    try {
      this.#fs.link(temp, path);
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EEXIST') this.#removeEmptyFile(path);
      else if (errno !== 'ENOENT') throw ledgerError(error, 'link', path);
      return false;
    }
  }

  /** For tidying up: what a failing disk keeps, the next recovery removes. */
  #tryTo(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }

  /** Takes a zero-byte file out of the way. */
  #removeEmptyFile(path: string): void {
    if (this.#fs.size(path) !== 0) return;
    const aside = this.#claims.tempPath();
    if (!did(['ENOENT'], 'rename', path, () => this.#fs.rename(path, aside))) return;
    // Only now is it ours alone. It may have been filled since we looked: then it goes back.
    if (this.#fs.size(aside) !== 0) did(['EEXIST'], 'link', path, () => this.#fs.link(aside, path));
    did(['ENOENT'], 'unlink', aside, () => this.#fs.unlink(aside));
  }

  #write(path: string, text: string): void {
    try {
      const fd = this.#fs.create(path);
      try {
        this.#fs.write(fd, text);
        if (this.#options.durable) this.#fs.fsync(fd);
      } finally {
        this.#fs.close(fd);
      }
    } catch (error) {
      throw ledgerError(error, 'write', path);
    }
  }

  /** Makes a file with its whole content at once; leaves one that exists as it is. */
  #writeNew(path: string, text: string): void {
    const temp = this.#claims.tempPath();
    try {
      this.#write(temp, text);
      did(['EEXIST'], 'link', path, () => this.#fs.link(temp, path));
    } finally {
      this.#tryTo(() => this.#fs.unlink(temp));
    }
  }

  #removePodDir(podUid: string): void {
    const dir = join(this.root, 'pods', podUid);
    // Not empty: its volumes are still there, and their owner removes it.
    did(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOTDIR'], 'rmdir', dir, () => this.#fs.rmdir(dir));
  }

  #sync(path: string): void {
    if (!this.#options.durable) return;
    const fd = this.#fs.open(path);
    try {
      this.#fs.fsync(fd);
    } finally {
      this.#fs.close(fd);
    }
  }

  // ── agreement of file and claim

  /** Is the block of a pod's file really the pod's? Otherwise: `changing` (look again) or why not. */
  #confirm(podUid: string, block: IdBlock): string {
    const units = block.size / BLOCK_SIZE;
    const head = this.#claims.find(block.hostId);
    if (head !== undefined && head !== 'unreadable' && head.pod === podUid) {
      if (head.kind === 'releasing') return this.#helpRelease(head);
      this.#allocator.reserve(block.hostId, block.size);
      if (units === 1 || this.#claims.unitsOf(head).length === units) return 'ours';
    }
    if (head === undefined) return this.#adopt(podUid, block);
    const now = this.#readPod(podUid);
    if (now.state !== 'block' || now.block.hostId !== block.hostId) return 'changing';
    return `range picked for pod ${podUid} already taken by ${head === 'unreadable' ? 'something unreadable' : head.pod || 'a prepared block'}`;
  }

  /** Makes the claim that a pod's file lacks. */
  #adopt(podUid: string, block: IdBlock): string {
    this.#allocator.reserve(block.hostId, block.size);
    let offers: number[] = [block.hostId];
    const claim = this.#claims.make('pod', podUid, block.size / BLOCK_SIZE, () => {
      const [next] = offers;
      offers = [];
      return next;
    });
    if (!claim) return 'changing';
    const now = this.#readPod(podUid);
    if (now.state === 'block' && now.block.hostId === block.hostId) return 'ours';
    // Released while we looked.
    this.#abandon(claim);
    return 'changing';
  }

  #wait(podUid: string, hostId: number, waits: number): void {
    const patienceMs = this.#options.patienceMs ?? 1000;
    if (waits > patienceMs / WAIT_STEP_MS) {
      const why = `another process has been releasing it for ${patienceMs} ms`;
      throw subrootError('SUBROOT_LEDGER_BUSY', {pod: podUid, hostId, why});
    }
    if (waits > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_STEP_MS);
  }

  // ── release

  /** Makes this process the one that carries out the release; undefined when a living one already does, or it is done. */
  #takeForRelease(claim: Claim): Claim | undefined {
    if (claim.kind === 'releasing' && !this.#deathOracle()(claim.owner) && !this.#isMe(claim.owner)) return undefined;
    return this.#claims.change(claim, {kind: 'releasing', pod: claim.pod});
  }

  #helpRelease(claim: Claim): string {
    const mine = this.#takeForRelease(claim);
    if (mine) this.#finishRelease(mine);
    return 'changing';
  }

  /** The pod's file and folder, then the claims, the first one last: as long as it is there, the release can be taken up again. */
  #finishRelease(first: Claim): void {
    const path = this.#usernsPath(first.pod);
    const file = this.#readPod(first.pod);
    if (file.state === 'block' && file.block.hostId === first.hostId) {
      did(['ENOENT'], 'unlink', path, () => this.#fs.unlink(path));
    }
    this.#removePodDir(first.pod);
    const units = this.idsPerPod === BLOCK_SIZE ? [first] : this.#claims.unitsOf(first);
    for (const unit of units.reverse()) this.#claims.drop(unit);
    this.#allocator.free(first.hostId);
  }

  #releaseBad(podUid: string, named: readonly IdBlock[]): boolean {
    const path = this.#usernsPath(podUid);
    const removed = did(['ENOENT'], 'unlink', path, () => this.#fs.unlink(path));
    for (const block of named) {
      const claim = block.hostId % BLOCK_SIZE === 0 ? this.#claims.find(block.hostId) : undefined;
      if (claim === undefined || claim === 'unreadable' || claim.pod !== podUid) continue;
      for (const unit of this.#claims.unitsOf(claim).reverse()) this.#claims.drop(unit);
    }
    // A file that names nothing any more: the claim itself says whose it is.
    for (const claim of this.#heads()) {
      if (claim.pod !== podUid || claim.kind === 'prepared') continue;
      const mine = this.#takeForRelease(claim);
      if (mine) this.#finishRelease(mine);
    }
    this.#removePodDir(podUid);
    this.#quarantined.delete(podUid);
    this.#recover();
    return removed;
  }

  #mayRelease(claim: Claim, isPodAlive: (podUid: string) => boolean, isDead: (owner: Owner) => boolean): boolean {
    const {owner, durable} = this.#options;
    if (!durable && claim.owner.bootId !== owner.bootId) return true;
    return (this.#isMe(claim.owner) || isDead(claim.owner)) && !isPodAlive(claim.pod);
  }

  // ── recovery

  #isMe(owner: Owner): boolean {
    const me = this.#options.owner;
    return owner.pid === me.pid && owner.startTime === me.startTime && owner.bootId === me.bootId;
  }

  /** Answers once per owner, so that an owner does not die halfway through a pass. */
  #deathOracle(): (owner: Owner) => boolean {
    const answers = new Map<string, boolean>();
    return (owner) => {
      if (this.#isMe(owner)) return false;
      if (owner.bootId !== this.#options.owner.bootId) return true;
      const key = `${owner.pid},${owner.startTime}`;
      const known = answers.get(key);
      if (known !== undefined) return known;
      const dead = !this.#options.isAlive(owner);
      answers.set(key, dead);
      return dead;
    };
  }

  /**
   * Reads the whole ledger and mends it. The order matters: claims, then who is dead, then pods' files. Whatever a dead process wrote
   * was there before we found it dead, so a file that is missing afterwards was never written.
   */
  #recover(): void {
    const isDead = this.#deathOracle();
    this.#claims.removeDeadTemps(isDead);
    this.#quarantined = new Map();
    this.#allocator = this.#newAllocator();
    const claims = this.#readClaims();
    for (const claim of claims.values()) isDead(claim.owner);

    const podsDir = join(this.root, 'pods');
    const uids = unless([], 'readdir', podsDir, () => this.#fs.readdir(podsDir)) ?? [];
    const files = new Map<string, IdBlock>();
    for (const podUid of uids.sort()) {
      const block = podUidPattern.test(podUid) ? this.#recoverPod(podUid, claims) : undefined;
      if (block) files.set(podUid, block);
    }
    for (const claim of claims.values()) this.#recoverClaim(claim, files.get(claim.pod), isDead);
  }

  #readClaims(): Map<number, Claim> {
    const claims = new Map<number, Claim>();
    for (const hostId of this.#claims.units()) {
      const claim = this.#claims.find(hostId);
      if (claim === undefined) this.#claims.dropEmpty(hostId);
      else if (claim === 'unreadable') this.#allocator.reserve(hostId, BLOCK_SIZE);
      else claims.set(hostId, claim);
    }
    return claims;
  }

  /** The block that the pod's file names, unless the pod has none or is set aside. */
  #recoverPod(podUid: string, claims: ReadonlyMap<number, Claim>): IdBlock | undefined {
    for (let tries = 0; tries < 3; tries++) {
      const file = this.#tryReadPod(podUid);
      if (file.state === 'none') return undefined;
      if (file.state === 'bad') {
        this.#quarantine(podUid, file.why, file.named);
        return undefined;
      }
      const claim = claims.get(file.block.hostId);
      // A release under way is finished with the claims.
      if (claim?.pod === podUid && (claim.kind === 'releasing' || this.idsPerPod === BLOCK_SIZE)) return file.block;
      const held = this.#confirm(podUid, file.block);
      if (held === 'ours') return file.block;
      if (held !== 'changing') {
        this.#quarantine(podUid, held, [file.block]);
        return undefined;
      }
    }
    return undefined;
  }

  #tryReadPod(podUid: string): PodFile {
    try {
      return this.#readPod(podUid);
    } catch (error) {
      if (!(error instanceof SubrootError)) throw error;
      return {state: 'bad', why: error.shortMessage, named: []};
    }
  }

  #quarantine(podUid: string, reason: string, named: readonly IdBlock[]): void {
    for (const block of named) this.#allocator.reserve(block.hostId, block.size);
    this.#quarantined.set(podUid, {podUid, path: this.#usernsPath(podUid), reason, reserved: named});
  }

  #recoverClaim(claim: Claim, file: IdBlock | undefined, isDead: (owner: Owner) => boolean): void {
    if (isDead(claim.owner) && !this.#quarantined.has(claim.pod)) {
      const isBacked = file && claim.hostId >= file.hostId && claim.hostId < file.hostId + file.size;
      if (claim.kind === 'prepared' || (!isBacked && claim.kind !== 'releasing')) {
        if (claim.pod !== '') this.#removePodDir(claim.pod);
        this.#claims.drop(claim);
        return;
      }
      const isOver = claim.kind === 'bound' && !(this.#options.isPodAlive?.(claim.pod) ?? false);
      if (claim.kind === 'releasing' || isOver) {
        const mine = this.#takeForRelease(claim);
        if (mine) this.#finishRelease(mine);
        return;
      }
    }
    this.#allocator.reserve(claim.hostId, BLOCK_SIZE);
  }
}

function checkUid(podUid: string): string {
  if (!podUidPattern.test(podUid)) throw subrootError('SUBROOT_LEDGER_POD_UID', {uid: podUid});
  return podUid;
}

function notPrepared(hostId: number): Error {
  return subrootError('SUBROOT_LEDGER_NOT_PREPARED', {hostId});
}
