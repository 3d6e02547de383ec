import type {Attempt} from './attempt.ts';
import {call, MS, mount, O, type Operation, open, unshare, write} from './operation.ts';
import type {Place} from './place.ts';
import {everyNamespace, type Who} from './scene.ts';

/** A folder that is in every root file system; what is mounted there is in a mount namespace of the attempt's own. */
export const anyFolder = '/dev';

/** In all namespaces of the pod, as its own programs are; the control is in the copies of the host's. */
export function insidePod(place: Place): Partial<Who> {
  return place.isControl ? {} : {inside: everyNamespace};
}

/** Likewise, with a descriptor of the canaries' folder: what is on the host is reachable by it alone. */
export function insideWithFolder(place: Place): Partial<Who> {
  return {...insidePod(place), keep: [['folder', place.path('.'), O.DIRECTORY]]};
}

/** Ends the processes that `insideWithFolder` asked for. */
export async function dismissInside(place: Place): Promise<void> {
  await place.scene.dismiss({...place.scene.whoOf(place.arm), ...insideWithFolder(place)});
}

/** In the pod's namespaces but for its mounts: /proc/sys shows what belongs to these, past whatever the runtime put over it. */
export function insidePastMounts(place: Place): Partial<Who> {
  return place.isControl ? {} : {inside: everyNamespace.filter((type) => type !== 'mnt')};
}

/** A mount namespace of the attempt's own, so that the pod's stays as it is. */
export function ownMounts(): Operation[] {
  return [unshare('mnt'), mount('none', '/', '', MS.rec + MS.private, '', {optional: true})];
}

/** A pod that was there before us keeps its network as it is: what is made is made in another one of the same user namespace. */
export function ownNetwork(place: Place): Operation[] {
  return !place.isControl && place.scene.target.existing.length > 0 ? [unshare('net')] : [];
}

/** A second pod has no masks where the target can give every capability; the first one's masks decide whether proc can be mounted. */
export function unmaskedPod(place: Place): Partial<Who> {
  if (place.isControl) return {};
  const {scene} = place;
  return {
    inside: everyNamespace,
    ...(scene.pods.length > 1 && scene.target.has('all-capabilities') ? {pod: scene.otherPod} : {}),
  };
}

/** Writes a setting of the pod the value that it has there: pods that were there before us stay as they are. */
export function sameSetting(path: string, parts: Pick<Attempt, 'arms'>): Attempt {
  return {
    ...parts,
    name: path.replace('/proc/sys/', ''),
    who: insidePastMounts,
    prepare: async (place) => {
      const {scene, arm} = place;
      const actor = await scene.actor({...scene.whoOf(arm), ...insidePastMounts(place)});
      const end = await actor.run([call('content', [path], `read(${path})`)]);
      const [value] = end.calls[0]?.texts ?? [];
      if (value === undefined) throw new Error(`${path} cannot be read: ${end.calls[0]?.errno ?? end.how}`);
      place.keep('value', value.trim());
    },
    calls: (place) => [open(path, O.WRONLY), write(`${place.kept<string>('value')}\n`)],
  };
}
