import {randomBytes} from 'node:crypto';
import {join} from 'node:path';
import {subrootError} from '../native-free/errors.ts';
import {BLOCK_SIZE} from '../native-free/ids.ts';
import type {LedgerFs} from './ledger-fs.ts';
import {did, ledgerError, unless} from './ledger-fs.ts';

/** A process, told apart from a later one with the same pid. `startTime` is field 22 of /proc/PID/stat, in clock ticks. */
export interface Owner {
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
}

/**
 * `prepared`: taken ahead, for no pod yet · `pod`: a pod's, outlives its claimant · `bound`: a pod that dies with its claimant ·
 * `releasing`: on its way out, `owner` is who carries it out.
 */
export type ClaimKind = 'prepared' | 'pod' | 'bound' | 'releasing';

/** One claim on one unit of 65536 host ids. `nonce` is the same on all units of one block and on no other claim ever. */
export interface Claim {
  readonly hostId: number;
  readonly kind: ClaimKind;
  /** Empty while prepared. */
  readonly pod: string;
  readonly owner: Owner;
  readonly nonce: string;
}

const claimName =
  /^(prepared|pod|bound|releasing),([A-Za-z0-9._-]*),(\d{1,10}),(\d{1,16}),([A-Za-z0-9-]{1,64}),([0-9a-f]{8}-\d{1,16})$/;
const tempName = /^(\d{1,10}),(\d{1,16}),([A-Za-z0-9-]{1,64}),[0-9a-f]{8}-\d{1,16}$/;
// One per module, so one per thread; the random part keeps threads and processes apart.
const nonceStart = randomBytes(4).toString('hex');
let nonces = 0;

/**
 * Claims on disk, one folder per unit: `blocks/<hostId>/<claim>`, where the file's name says everything (its content
 * names the claimant, for people).
 *
 * Why names and folders, and not a file `blocks/<hostId>` with JSON in it: nothing can unlink "the file with this content", so two
 * processes that both found a dead claim could remove each other's fresh one. With a folder, every step is one system call that
 * succeeds only from the expected state: a claim is made by renaming a filled folder over a missing or empty one (ENOTEMPTY
 * otherwise), changed by renaming its exact name, and dropped by unlinking its exact name. No lock is needed, and a crash
 * between any two calls leaves a state with a meaning.
 */
export class Claims {
  readonly #fs: LedgerFs;
  readonly #blocks: string;
  readonly #temp: string;
  readonly #owner: Owner;
  readonly #sync: (path: string) => void;
  #seal: string | undefined;

  constructor(fs: LedgerFs, root: string, owner: Owner, sync: (path: string) => void) {
    this.#fs = fs;
    this.#blocks = join(root, 'blocks');
    this.#temp = join(root, 'tmp');
    this.#owner = owner;
    this.#sync = sync;
  }

  newNonce(): string {
    nonces += 1;
    return `${nonceStart}-${nonces}`;
  }

  /** A path for a file or folder in the making; recovery removes it once its process is gone. */
  tempPath(): string {
    return join(this.#temp, `${this.#owner.pid},${this.#owner.startTime},${this.#owner.bootId},${this.newNonce()}`);
  }

  /**
   * Claims `units` units from one of the offered ids up; returns the claim of the first unit, or undefined when the offers ran out.
   * An id is offered once: when it is taken, the next is asked for.
   */
  make(kind: ClaimKind, pod: string, units: number, offer: () => number | undefined): Claim | undefined {
    const fs = this.#fs;
    const claim = {kind, pod, owner: this.#owner, nonce: this.newNonce(), hostId: 0};
    const made: Claim[] = [];
    let temp: string | undefined;
    try {
      for (let hostId = offer(); hostId !== undefined; hostId = offer()) {
        while (made.length < units) {
          temp ??= this.#filledTemp(claim);
          const unit = {...claim, hostId: hostId + made.length * BLOCK_SIZE};
          if (!this.#moveIn(temp, unit.hostId)) break;
          temp = undefined;
          made.push(unit);
        }
        if (made.length === units) {
          this.#sync(this.#blocks);
          return made[0];
        }
        for (const unit of made.splice(0)) this.drop(unit);
      }
      return undefined;
    } catch (error) {
      for (const unit of made) this.drop(unit);
      throw error;
    } finally {
      if (temp !== undefined) removeTree(fs, temp);
    }
  }

  /** Changes kind, pod and owner of a claim in one step; undefined when that claim is not there any more. */
  change(claim: Claim, to: {readonly kind: ClaimKind; readonly pod: string}): Claim | undefined {
    const changed = {...claim, ...to, owner: this.#owner};
    const target = this.#pathOf(changed);
    if (!did(['ENOENT'], 'rename', target, () => this.#fs.rename(this.#pathOf(claim), target))) return undefined;
    this.#sync(join(this.#blocks, String(claim.hostId)));
    return changed;
  }

  /** Removes a claim; false when that very claim is not there any more. */
  drop(claim: Claim): boolean {
    const path = this.#pathOf(claim);
    if (!did(['ENOENT', 'ENOTDIR'], 'unlink', path, () => this.#fs.unlink(path))) return false;
    this.dropEmpty(claim.hostId);
    return true;
  }

  /** Removes the folder of a free unit; an empty one means the same as none. */
  dropEmpty(hostId: number): void {
    const path = join(this.#blocks, String(hostId));
    did(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'], 'rmdir', path, () => this.#fs.rmdir(path));
  }

  /** The claim on a unit: undefined when it is free, `unreadable` when something stands there that is none of ours. */
  find(hostId: number): Claim | 'unreadable' | undefined {
    const path = join(this.#blocks, String(hostId));
    const names = unless(['ENOENT'], 'readdir', path, () => this.#fs.readdir(path)) ?? [];
    const name = names[0];
    if (name === undefined) return undefined;
    return (names.length === 1 && parseClaim(hostId, name)) || 'unreadable';
  }

  /** First host ids of all units that have a folder, ascending; temporary and foreign names are left out. */
  units(): number[] {
    const names = unless([], 'readdir', this.#blocks, () => this.#fs.readdir(this.#blocks)) ?? [];
    const ids = names.filter((name) => /^\d{1,10}$/.test(name)).map(Number);
    return ids.filter((id) => id % BLOCK_SIZE === 0 && id < 2 ** 32).sort((a, b) => a - b);
  }

  /** All claims of one block, from its first unit up: those that follow without a gap under the same nonce. */
  unitsOf(first: Claim): Claim[] {
    const found = [first];
    for (let hostId = first.hostId + BLOCK_SIZE; ; hostId += BLOCK_SIZE) {
      const next = this.find(hostId);
      if (next === undefined || next === 'unreadable' || next.nonce !== first.nonce) return found;
      found.push(next);
    }
  }

  /** Removes this process's own file in `tmp`; a later claim makes a new one. */
  close(): void {
    if (this.#seal !== undefined) removeTree(this.#fs, this.#seal);
    this.#seal = undefined;
  }

  /** Removes what dead processes left half-made. */
  removeDeadTemps(isDead: (owner: Owner) => boolean): void {
    const names = unless([], 'readdir', this.#temp, () => this.#fs.readdir(this.#temp)) ?? [];
    for (const name of names) {
      const owner = tempName.exec(name);
      if (!owner) continue;
      if (isDead({pid: Number(owner[1]), startTime: Number(owner[2]), bootId: owner[3] ?? ''})) {
        removeTree(this.#fs, join(this.#temp, name));
      }
    }
  }

  /** This claim's exact file, and the file of this process that it is a link to: unlinking them can touch no other claim. */
  filesOf(claim: Claim): string[] {
    return [this.#pathOf(claim), ...(this.#seal === undefined ? [] : [this.#seal])];
  }

  #pathOf(claim: Claim): string {
    return join(this.#blocks, String(claim.hostId), formatClaim(claim));
  }

  #filledTemp(claim: Claim): string {
    const path = this.tempPath();
    const entry = join(path, formatClaim(claim));
    try {
      this.#fs.mkdir(path);
      this.#linkSeal(entry);
      this.#sync(path);
    } catch (error) {
      removeTree(this.#fs, path);
      throw ledgerError(error, 'create', entry);
    }
    return path;
  }

  /** A claim is a link to one file per process that says who that is: a link is an order of magnitude cheaper than a file on ext4. */
  #linkSeal(entry: string): void {
    if (this.#seal !== undefined) {
      const seal = this.#seal;
      // EMLINK: ext4 allows 65,000 links. ENOENT: somebody took us for dead and tidied up.
      if (did(['EMLINK', 'ENOENT'], 'link', entry, () => this.#fs.link(seal, entry))) return;
    }
    const seal = this.tempPath();
    const fd = this.#fs.create(seal);
    try {
      this.#fs.write(fd, `${JSON.stringify(this.#owner)}\n`);
    } finally {
      this.#fs.close(fd);
    }
    this.#seal = seal;
    this.#fs.link(seal, entry);
  }

  #moveIn(temp: string, hostId: number): boolean {
    const target = join(this.#blocks, String(hostId));
    return did(['ENOTEMPTY', 'EEXIST'], 'rename', target, () => this.#fs.rename(temp, target));
  }
}

function formatClaim(claim: Claim): string {
  const {kind, pod, owner, nonce} = claim;
  return `${kind},${pod},${owner.pid},${owner.startTime},${owner.bootId},${nonce}`;
}

function parseClaim(hostId: number, name: string): Claim | undefined {
  const parts = claimName.exec(name);
  if (!parts) return undefined;
  const [, kind, pod = '', pid, startTime, bootId = '', nonce = ''] = parts;
  return {
    hostId,
    kind: kind as ClaimKind,
    pod,
    owner: {pid: Number(pid), startTime: Number(startTime), bootId},
    nonce,
  };
}

/** A file, or a folder with files in it; gone already is fine, and so is a file system that refuses (recovery tries again). */
function removeTree(fs: LedgerFs, path: string): void {
  try {
    for (const name of fs.readdir(path)) fs.unlink(join(path, name));
    fs.rmdir(path);
  } catch {
    try {
      fs.unlink(path);
    } catch {
      // Nothing there, or not ours to remove now.
    }
  }
}

/** Throws SUBROOT_LEDGER_OWNER unless the owner can be written into a claim's name. */
export function checkOwner(owner: Owner): void {
  const refuse = (why: string) => subrootError('SUBROOT_LEDGER_OWNER', {why});
  if (!Number.isSafeInteger(owner.pid) || owner.pid < 1) throw refuse(`pid ${owner.pid}`);
  if (!Number.isSafeInteger(owner.startTime) || owner.startTime < 0) throw refuse(`startTime ${owner.startTime}`);
  if (!/^[A-Za-z0-9-]{1,64}$/.test(owner.bootId)) throw refuse(`bootId "${owner.bootId}"`);
}
