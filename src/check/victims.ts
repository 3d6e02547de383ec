import type {Attempt} from './attempt.ts';
import {call, type Operation, struct} from './operation.ts';
import {canary, type Place} from './place.ts';
import type {Held, Scene, Who} from './scene.ts';

/** What a canary process does before it waits: a secret in its memory, whose address the first call gives, and no signal that ends it. */
export const victimCalls: readonly Operation[] = [
  call('secret', [canary], 'secret'),
  call('block', [], 'block all signals'),
];

/** Something that is done to a canary process of the host's root. */
export function onVictim(
  name: string,
  calls: (pid: number, place: Place) => readonly Operation[],
  more: Partial<Attempt> = {},
): Attempt {
  return {
    name,
    prepare: async (place) => {
      place.keep('pid', (await place.victim()).pid);
    },
    calls: (place) => calls(place.kept('pid'), place),
    ...more,
  };
}

/** The other side of a lateral attempt: root of the second pod, or of a second container without a user namespace. */
export function partner(place: Place, more: Partial<Who> = {}): Who {
  const {scene, arm} = place;
  return {...scene.whoOf(arm), ...(place.isControl ? {} : {pod: scene.otherPod}), ...more};
}

/** Something that is done to a process of the other side. */
export function onPartner(
  name: string,
  calls: (pid: number, place: Place) => readonly Operation[],
  more: Partial<Attempt> & {readonly as?: Partial<Who>} = {},
): Attempt {
  const {as, ...rest} = more;
  return {
    name,
    prepare: async (place) => {
      const held = await place.hold(partner(place, as ?? {}), ...victimCalls);
      place.keep('victim', held);
      place.keep('pid', held.pid);
    },
    calls: (place) => calls(place.kept('pid'), place),
    ...(as ? {who: as} : {}),
    ...rest,
  };
}

/** The address of a victim's secret. */
export function addressOf(place: Place): number {
  const victim = place.note<Held>('victim');
  if (victim === undefined) throw new Error('there is no victim');
  return victim.calls[0]?.result ?? 0;
}

/** Reads the victim's secret, or writes the same bytes over it. */
export function memoryCalls(name: 'process_vm_readv' | 'process_vm_writev', pid: number, address: number): Operation[] {
  const bytes = Buffer.from(canary.slice(0, 32));
  const local = {bytes: struct([0, 8], [32, 8]), pointers: {0: name === 'process_vm_readv' ? Buffer.alloc(32) : bytes}};
  return [call(name, [pid, local, 1, {bytes: struct([address, 8], [32, 8])}, 1, 0], name)];
}

/** Namespaces of the host that can be joined. */
export const hostNamespaces = ['mnt', 'net', 'uts', 'ipc', 'pid', 'cgroup', 'time'] as const;

export type HostNamespace = (typeof hostNamespaces)[number];
export type Inherited = Pick<Who, 'keep' | 'pidfds'> & {readonly pid: number};

const keepers = new WeakMap<Scene, Promise<Held>>();

/** A process of the host's root that lives as long as the scene, and what an attacker has inherited of it: its namespaces and a pidfd. */
export async function inherited(scene: Scene): Promise<Inherited> {
  const keeper = keepers.get(scene) ?? scene.hold({capabilities: 'all'}, victimCalls);
  keepers.set(scene, keeper);
  const {pid} = await keeper;
  return {
    pid,
    keep: hostNamespaces.map((type) => [type, `/proc/${pid}/ns/${type}`, 0] as const),
    pidfds: [['pidfd', pid]],
  };
}
