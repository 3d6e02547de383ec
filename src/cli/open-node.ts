import {createNode, type PodNode} from '../node.ts';
import type {CommandContext} from './command.ts';

/** The node of a command that changes pods: they outlive the command. The caller closes it. */
export async function openNode({root, mode}: Pick<CommandContext, 'root' | 'mode'>, options: {kubernetes?: string; idsPerPod?: number; bound?: boolean; images?: Readonly<Record<string, string>>} = {}): Promise<PodNode> {
  return await createNode({
    root,
    mode,
    lifetime: options.bound ? 'bound' : 'detached',
    ...(options.kubernetes === undefined ? {} : {kubernetes: options.kubernetes}),
    ...(options.idsPerPod === undefined ? {} : {idsPerPod: options.idsPerPod}),
    ...(options.images === undefined ? {} : {images: options.images}),
  });
}
