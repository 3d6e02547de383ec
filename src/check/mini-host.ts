import {writeFileSync} from 'node:fs';
import {startTimeOf} from '../host/proc.ts';
import {CannotTry} from './attempt.ts';
import {O, type Operation, open, setgid, setgroups, setuid, unshare, write} from './operation.ts';
import type {Held, Scene, Who} from './scene.ts';
import type {TargetPod} from './target.ts';

/**
 * A host in small: a user namespace that maps every id to itself, with limits of its own. What is exhausted in it is not exhausted on the
 * machine, and the kernel counts in it as it counts on a host.
 */
export class MiniHost {
  readonly #scene: Scene;
  readonly #held: Held[] = [];
  readonly #made: Who[] = [];
  readonly #root: TargetPod;

  private constructor(scene: Scene, holder: Held) {
    this.#scene = scene;
    this.#held.push(holder);
    this.#root = podOf('mini-host', holder.pid);
  }

  static async make(scene: Scene): Promise<MiniHost> {
    const holder = await scene.hold({capabilities: 'all'}, [unshare('user')]);
    writeFileSync(`/proc/${holder.pid}/uid_map`, '0 0 4294967295');
    writeFileSync(`/proc/${holder.pid}/gid_map`, '0 0 4294967295');
    return new MiniHost(scene, holder);
  }

  /** Root of the small host with every capability over it. */
  get root(): Who {
    return {pod: this.#root, capabilities: 'all'};
  }

  /** Sets a limit of the small host, a file below /proc/sys/user. Throws CannotTry when it may not be set. */
  async limit(name: string, value: number): Promise<void> {
    const end = await (await this.#actor(this.root)).run([
      open(`/proc/sys/user/${name}`, O.WRONLY),
      write(String(value)),
    ]);
    const errno = end.calls.find((each) => each.errno !== undefined)?.errno;
    if (errno !== undefined) throw new CannotTry(`user.${name} of a namespace cannot be set here (${errno})`);
  }

  /** A pod of the small host: 65536 ids from `base`, its namespace made by `owner`. `before` is done by its maker first. */
  async pod(name: string, base: number, owner: number, before: readonly Operation[] = []): Promise<TargetPod> {
    const actor = await this.#actor(this.root);
    const calls = [...before, setgroups([]), setgid(owner), setuid(owner), unshare('user')];
    const end = await actor.hold(calls);
    const held: Held = {pid: end.number ?? -1, calls: end.calls, release: end.release};
    this.#held.push(held);
    const failed = end.calls.findIndex(({errno}) => errno !== undefined);
    if (end.how !== 'held' || failed >= 0)
      throw new CannotTry(
        `no user namespace could be made: ${calls[failed]?.did ?? end.how} ${end.calls[failed]?.errno ?? ''}`,
      );
    const map = `0 ${base} 65536`;
    for (const file of ['uid_map', 'gid_map']) {
      const written = await actor.run([open(`/proc/${held.pid}/${file}`, O.WRONLY), write(map)]);
      const errno = written.calls.find((each) => each.errno !== undefined)?.errno;
      if (errno !== undefined) throw new CannotTry(`${file} of a pod of a small host could not be written: ${errno}`);
    }
    return podOf(name, held.pid);
  }

  async #actor(who: Who) {
    this.#made.push(who);
    return await this.#scene.actor(who);
  }

  /** Remembers who is to be dismissed at the end. */
  uses(...who: readonly Who[]): void {
    this.#made.push(...who);
  }

  async close(): Promise<void> {
    for (const who of this.#made.splice(0)) await this.#scene.dismiss(who);
    for (const held of this.#held.splice(0).reverse()) await held.release();
  }
}

function podOf(name: string, pid: number): TargetPod {
  return {
    name,
    init: {pid, startTime: startTimeOf(pid) ?? ''},
    declared: {},
    exec: () => Promise.reject(new CannotTry('nothing runs in it')),
    remove: async () => await Promise.resolve(),
  };
}
