import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {statusOf} from '../host/process-view.ts';
import {AT_FDCWD, call, type Operation} from './operation.ts';
import type {Arm} from './result.ts';
import type {Actor, Held, Scene, Who} from './scene.ts';

export interface CanaryOptions {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly content?: string;
  /** A file of the machine that it is a copy of. */
  readonly copyOf?: string;
}

/** Where one arm makes one attempt: a folder of the host's root, 0755, that is gone afterwards, and processes that are its victims. */
export class Place {
  readonly scene: Scene;
  readonly arm: Arm;
  /** As attackers see it. */
  readonly folder: string;
  readonly #held: Held[] = [];
  readonly #notes = new Map<string, unknown>();
  #isMade = false;

  constructor(scene: Scene, name: string, arm: Arm) {
    this.scene = scene;
    this.arm = arm;
    this.folder = `${scene.stageFolder}/${name}.${arm}`;
  }

  get isControl(): boolean {
    return this.arm.startsWith('control');
  }

  /** A path as attackers see it. */
  path(name: string): string {
    this.#make();
    return `${this.folder}/${name}`;
  }

  /** The same path as we see it. */
  view(name: string): string {
    return this.scene.view(this.path(name));
  }

  #make(): void {
    if (this.#isMade) return;
    this.#isMade = true;
    mkdirSync(this.scene.view(this.folder), {mode: 0o755});
    chmodSync(this.scene.view(this.folder), 0o755);
  }

  /** Makes a canary file of the host's root; the path as attackers see it. */
  file(name: string, {mode = 0o600, uid = 0, gid = 0, content = canary, copyOf}: CanaryOptions = {}): string {
    const view = this.view(name);
    if (copyOf === undefined) writeFileSync(view, content, {mode: 0o600});
    else copyFileSync(copyOf, view);
    chownSync(view, uid, gid);
    chmodSync(view, mode);
    return this.path(name);
  }

  /** Makes a folder of the host's root; the path as attackers see it. */
  dir(name: string, {mode = 0o755, uid = 0, gid = 0}: Omit<CanaryOptions, 'content' | 'copyOf'> = {}): string {
    const view = this.view(name);
    mkdirSync(view, {mode: 0o700});
    chownSync(view, uid, gid);
    chmodSync(view, mode);
    return this.path(name);
  }

  /** A file that everybody may read: what must be reachable. */
  sibling(name = 'sibling'): string {
    return this.file(name, {mode: 0o644, content: 'for everybody\n'});
  }

  exists(name: string): boolean {
    return existsSync(this.view(name)) || lstatSync(this.view(name), {throwIfNoEntry: false}) !== undefined;
  }

  stat(name: string) {
    return lstatSync(this.view(name));
  }

  content(name: string): string {
    return readFileSync(this.view(name), 'latin1');
  }

  /** Has the host's root do something in the stage; what fails is thrown. */
  async asHost(...operations: readonly Operation[]): Promise<void> {
    await this.scene.asHost(...operations);
  }

  /** A process that stays as it is after its calls, until the attempt is over; its pid. */
  async hold(who: Who, ...operations: readonly Operation[]): Promise<Held> {
    const held = await this.scene.hold(who, operations);
    this.#held.push(held);
    return held;
  }

  /** A canary process of the host's root with all its capabilities, which counts signals instead of dying of them. */
  async victim(): Promise<Held> {
    const found = this.note<Held>('victim');
    if (found) return found;
    const held = await this.hold(
      {capabilities: 'all'},
      call('secret', [canary], 'secret'),
      call('block', [], 'block all signals'),
    );
    return this.keep('victim', held);
  }

  /** Signals that a process was sent and has not taken, by number. */
  pendingSignals(pid: number): number[] {
    const pending = statusOf(pid)?.pending ?? 0n;
    return Array.from({length: 64}, (_, index) => index + 1).filter(
      (number) => (pending >> BigInt(number - 1)) % 2n === 1n,
    );
  }

  /** Remembers something from `prepare` for the calls. */
  keep<Value>(key: string, value: Value): Value {
    this.#notes.set(key, value);
    return value;
  }

  note<Value>(key: string): Value | undefined {
    return this.#notes.get(key) as Value | undefined;
  }

  /** As `note`, of what `prepare` has kept for certain. */
  kept<Value>(key: string): Value {
    return this.#notes.get(key) as Value;
  }

  async actor(who: Who): Promise<Actor> {
    return await this.scene.actor(who);
  }

  /** Removes the canaries and ends the victims. */
  async clear(): Promise<void> {
    for (const held of this.#held.splice(0)) await held.release();
    if (!this.#isMade) return;
    const view = this.scene.view(this.folder);
    try {
      rmSync(view, {recursive: true, force: true});
    } catch {
      // A mount was left on it; the file system goes with the stage.
      await this.scene.tidy(
        call('umount2', [this.folder, 2], 'umount'),
        call('unlinkat', [AT_FDCWD, this.folder, 0x200], 'rmdir'),
      );
    }
  }
}

/** What secret canaries hold. */
export const canary = 'subroot canary: only root of the host may read this\n';
