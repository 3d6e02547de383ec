import {readFileSync, realpathSync} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../native-free/errors.ts';
import type {IdBlock, IdPool, Ownership, SubPathRequest, VolumeHost} from '../../sim/index.ts';
import {AgentFailure} from '../host/agent.ts';
import type {Runtime} from '../runtime/runtime.ts';

/** Folders that are nobody's to give away, whoever asks. As podman's `:U` has them: containers/common pkg/chown, 0.57. */
const untouchable = [
  ...['/', '/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib32', '/lib64', '/media', '/mnt', '/opt', '/proc'],
  ...['/root', '/run', '/sbin', '/srv', '/sys', '/tmp', '/usr', '/var', '/var/lib', '/var/log', '/var/tmp'],
];

/** What volumes ask of this machine, done by the agent: it has the capabilities, and the mount namespace that pods get theirs from. */
export class NodeVolumeHost implements VolumeHost {
  readonly #runtime: Runtime;
  readonly #pool: () => IdPool;

  /** `pool` is asked only when files are given away: it may run a tool. */
  constructor(runtime: Runtime, pool: () => IdPool) {
    this.#runtime = runtime;
    this.#pool = pool;
  }

  /** Paths of volumes of ours are mounted in the agent's own namespace; all others are the machine's, which only mode host can enter. */
  #whereIs(path: string): 'host' | 'own' {
    return this.#runtime.mode !== 'host' || this.#isOwn(path) ? 'own' : 'host';
  }

  #isOwn(path: string): boolean {
    return path.startsWith(`${join(this.#runtime.store.root, 'ledger', 'pods')}/`);
  }

  async whyNotIdmapped(path: string): Promise<string | undefined> {
    const {mode} = this.#runtime;
    // Shifted files have ids 0-65535 before the shift, and an ordinary user's node has no such ids to give them.
    if (mode !== 'host' && this.#isOwn(path)) return `the node of mode ${mode} has no ids 0-65535 of its own`;
    return await this.#runtime.whyNotIdmapped(path);
  }

  async mountMemory(path: string, sizeBytes: bigint | undefined): Promise<boolean> {
    try {
      const [answer] = await this.#runtime.agent.request('memory', [
        path,
        sizeBytes === undefined ? '-' : String(sizeBytes),
      ]);
      return answer === 'made';
    } catch (error) {
      if (!(error instanceof AgentFailure)) throw error;
      throw subrootError('SUBROOT_VOLUME_MEMORY', {path, why: `${error.errno}: ${error.text}`}, error);
    }
  }

  async setOwners(path: string, {uid, gid, fileBits, folderBits, onlyOnRootMismatch}: Ownership): Promise<void> {
    const words = [
      idWord(uid),
      idWord(gid),
      fileBits.toString(8),
      folderBits.toString(8),
      onlyOnRootMismatch ? '1' : '0',
    ];
    await this.#runtime.agent.request('own', [path, ...words]);
  }

  async shiftOwners(volume: string, path: string, block: IdBlock): Promise<void> {
    const refuse = (why: string, cause?: unknown) => subrootError('SUBROOT_VOLUME_CHOWN', {volume, path, why}, cause);
    const {setup, store} = this.#runtime;
    if (setup.mode === 'single') throw refuse('mode single has one id, and no other to give them to');
    // The agent refuses a folder that is another by then.
    const real = realpathSync(path);
    if (untouchable.includes(real) || `${store.root}/`.startsWith(`${real}/`))
      throw refuse(`${real} is a folder of the system`);
    const {first, length} = this.#pool();
    // Ids without a place in our own namespace show as this one; in the initial namespace it is an id like any other.
    const isInitial = setup.mode === 'host' && setup.blocks === undefined;
    const overflow = isInitial ? '-' : readFileSync('/proc/sys/kernel/overflowuid', 'latin1').trim();
    const numbers = [block.hostId, block.hostId, block.size, first, length].map(String);
    try {
      await this.#runtime.agent.request('shift', [this.#whereIs(path), real, ...numbers, overflow]);
    } catch (error) {
      if (!(error instanceof AgentFailure)) throw error;
      throw refuse(`${error.text} (${error.errno})`, error);
    }
  }

  async openSubPath({volume, root, subPath, target, owner}: SubPathRequest): Promise<string> {
    const words = [root, subPath, target, idWord(owner?.uid), idWord(owner?.gid)];
    try {
      await this.#runtime.agent.request('subpath', [this.#whereIs(root), ...words]);
      return target;
    } catch (error) {
      if (!(error instanceof AgentFailure)) throw error;
      throw subrootError('SUBROOT_VOLUME_SUB_PATH', {volume, subPath, why: reasonOf(error)}, error);
    }
  }

  async usageOf(path: string): Promise<bigint> {
    const [bytes = '0'] = await this.#runtime.agent.request('usage', [path]);
    return BigInt(bytes);
  }

  async removeTree(path: string): Promise<void> {
    await this.#runtime.agent.request('remove', [path]);
  }
}

function idWord(id: number | undefined): string {
  return id === undefined ? '-' : String(id);
}

const subPathReasons: Readonly<Record<string, string>> = {
  EXDEV: 'leads out of the volume',
  ELOOP: 'goes through a link of a process, or through too many links',
  EEXIST: 'ends in a link that leads nowhere',
  ENOTDIR: 'goes through something that is no folder',
  EROFS: 'is not there, and the volume is read-only',
  ENOSPC: 'is not there, and no space is left for it',
};

function reasonOf({errno, text}: AgentFailure): string {
  return `${subPathReasons[errno] ?? `cannot be opened: ${text}`} (${errno})`;
}
