import {subrootError} from '../native-free/errors.ts';
import {BLOCK_SIZE} from '../native-free/ids.ts';
import type {IdPool} from './id-pool.ts';
import {checkPool, DEFAULT_MAX_PODS, defaultPool, usableBlocks} from './id-pool.ts';
import type {Random} from './random.ts';
import {systemRandom} from './random.ts';
import {SlotMap} from './slot-map.ts';

/** A pod's ids on the host: `size` ids from `hostId` up, which the pod sees as 0…size−1. */
export interface IdBlock {
  readonly hostId: number;
  readonly size: number;
}

export interface AllocatorOptions {
  /** All 32-bit ids above the first block by default. */
  readonly pool?: IdPool;
  /** A multiple of 65536 (the default). */
  readonly idsPerPod?: number;
  /** The pool must hold at least so many blocks; 110 by default. */
  readonly maxPods?: number;
  readonly random?: Random;
}

/**
 * Which blocks are taken, in memory. `allocate` starts at a random block and takes the next free one, round the end:
 * not contiguous, not lowest first, so a block just freed is rarely given out again at once.
 * The blocks that hold host id 0 or id 4294967295 are never given out. Ids are plain numbers, never 32-bit integers.
 * Constructor errors: SUBROOT_POOL_IDS_PER_POD, SUBROOT_POOL_RANGE, SUBROOT_POOL_TOO_SMALL.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go and pkg/registry/core/service/allocator/bitmap.go NewAllocationMap, 1.36.
 */
export class UsernsAllocator {
  readonly pool: IdPool;
  readonly idsPerPod: number;
  /** Blocks that can be given out. */
  readonly capacity: number;
  readonly #random: Random;
  readonly #slots: SlotMap;
  readonly #firstSlot: number;

  constructor(options: AllocatorOptions = {}) {
    this.idsPerPod = options.idsPerPod ?? BLOCK_SIZE;
    this.pool = options.pool ?? defaultPool(this.idsPerPod);
    checkPool(this.pool, this.idsPerPod, options.maxPods ?? DEFAULT_MAX_PODS);
    this.capacity = usableBlocks(this.pool, this.idsPerPod);
    this.#random = options.random ?? systemRandom();
    this.#slots = new SlotMap(this.capacity);
    this.#firstSlot = this.pool.first / this.idsPerPod;
  }

  /** Blocks taken now. */
  get inUse(): number {
    return this.#slots.taken;
  }

  /** First host id of a block that is now taken, or undefined when none is free. */
  tryAllocate(): number | undefined {
    if (this.#slots.taken === this.capacity) return undefined;
    const slot = this.#slots.nextFree(this.#random.below(this.capacity));
    this.#slots.take(slot);
    return (slot + this.#firstSlot) * this.idsPerPod;
  }

  /** Takes the block that begins at `hostId`; false when it is taken. Throws SUBROOT_POOL_RECORD when it is no block of the pool. */
  take(hostId: number, pod = ''): boolean {
    if (hostId % this.idsPerPod !== 0) throw this.#refuse(pod, hostId, wrongOffset(hostId, this.idsPerPod));
    const slot = hostId / this.idsPerPod - this.#firstSlot;
    if (!(slot >= 0 && slot < this.capacity)) throw this.#refuse(pod, hostId, this.outOfRange(hostId));
    return this.#slots.take(slot);
  }

  /** Frees the block that begins at `hostId`; false when it was free or is not of this pool. */
  free(hostId: number): boolean {
    const slot = hostId / this.idsPerPod - this.#firstSlot;
    return Number.isInteger(slot) && this.#slots.free(slot);
  }

  /** Marks every block that shares an id with the range, inside the pool; anything outside is left out. Returns those newly taken. */
  reserve(hostId: number, length: number): number[] {
    const from = Math.max(0, Math.floor(hostId / this.idsPerPod) - this.#firstSlot);
    const to = Math.min(this.capacity, Math.ceil((hostId + length) / this.idsPerPod) - this.#firstSlot);
    const taken = [];
    for (let slot = from; slot < to; slot++) {
      if (this.#slots.take(slot)) taken.push((slot + this.#firstSlot) * this.idsPerPod);
    }
    return taken;
  }

  /** True when the id's block is taken, and for every id outside the pool. */
  isTaken(id: number): boolean {
    const slot = Math.floor(id / this.idsPerPod) - this.#firstSlot;
    return !(slot >= 0 && slot < this.capacity) || this.#slots.has(slot);
  }

  /** True when the block that begins at `hostId` could be given out by this allocator. */
  isInPool(hostId: number): boolean {
    const slot = hostId / this.idsPerPod - this.#firstSlot;
    return Number.isInteger(slot) && slot >= 0 && slot < this.capacity;
  }

  /** Why a block is not of this pool, in the kubelet's words. */
  outOfRange(hostId: number): string {
    return `id ${hostId} is out of range (pool ${this.pool.first}:${this.pool.length})`;
  }

  #refuse(pod: string, hostId: number, why: string): Error {
    return subrootError('SUBROOT_POOL_RECORD', {hostId, length: this.idsPerPod, pod, why});
  }
}

function wrongOffset(hostId: number, idsPerPod: number): string {
  return `wrong user namespace offset specified: ${hostId} is not a multiple of ${idsPerPod}`;
}

/** What the kubelet keeps of each pod: its block. All checks of record and release are the kubelet's. */
export class UsernsManager {
  readonly allocator: UsernsAllocator;
  readonly #blockOf = new Map<string, number>();

  constructor(options: AllocatorOptions = {}) {
    this.allocator = new UsernsAllocator(options);
  }

  /** A fresh block for a pod. Throws SUBROOT_POOL_EXHAUSTED naming capacity, use and some holders. */
  allocate(podUid: string): IdBlock {
    const {allocator} = this;
    const hostId = allocator.tryAllocate();
    if (hostId === undefined) throw exhausted(allocator, [...this.#blockOf.keys()]);
    this.#blockOf.set(podUid, hostId);
    return {hostId, size: allocator.idsPerPod};
  }

  /** Takes down a block that a pod already has; the same block again is fine. Throws SUBROOT_POOL_RECORD, in the kubelet's order. */
  record(podUid: string, hostId: number, length: number): void {
    const {allocator} = this;
    const why = recordProblem(allocator, hostId, length, this.#blockOf.get(podUid));
    if (why === undefined && this.#blockOf.get(podUid) === hostId) return;
    if (why !== undefined) throw subrootError('SUBROOT_POOL_RECORD', {hostId, length, pod: podUid, why});
    if (!allocator.take(hostId, podUid)) {
      throw subrootError('SUBROOT_POOL_RECORD', {
        hostId,
        length,
        pod: podUid,
        why: `range picked for pod ${podUid} already taken`,
      });
    }
    this.#blockOf.set(podUid, hostId);
  }

  blockOf(podUid: string): IdBlock | undefined {
    const hostId = this.#blockOf.get(podUid);
    return hostId === undefined ? undefined : {hostId, size: this.allocator.idsPerPod};
  }

  pods(): string[] {
    return [...this.#blockOf.keys()];
  }

  /** False when the pod has no block. */
  release(podUid: string): boolean {
    const hostId = this.#blockOf.get(podUid);
    if (hostId === undefined) return false;
    this.#blockOf.delete(podUid);
    return this.allocator.free(hostId);
  }
}

/**
 * Why a block cannot be recorded for a pod (checks 6 to 9), or undefined. Whether it is taken is the caller's to find out.
 * Source: kubernetes pkg/kubelet/userns/userns_manager.go record(), 1.36.
 */
export function recordProblem(
  allocator: UsernsAllocator,
  hostId: number,
  length: number,
  known: number | undefined,
): string | undefined {
  if (length !== allocator.idsPerPod) return `wrong user namespace length ${length}, expected ${allocator.idsPerPod}`;
  if (hostId % allocator.idsPerPod !== 0) return wrongOffset(hostId, allocator.idsPerPod);
  if (known !== undefined && known !== hostId)
    return `different user namespace range already used by pod: ${known}, not ${hostId}`;
  if (!allocator.isInPool(hostId)) return allocator.outOfRange(hostId);
  return undefined;
}

/** The error for a full pool; up to five holders are named. */
export function exhausted(allocator: UsernsAllocator, holders: readonly string[]): Error {
  const named = holders.slice(0, 5).join(', ') || 'no pod';
  const more = holders.length > 5 ? ` and ${holders.length - 5} more` : '';
  const {capacity, inUse, idsPerPod} = allocator;
  return subrootError('SUBROOT_POOL_EXHAUSTED', {capacity, inUse, idsPerPod, holders: named + more});
}
