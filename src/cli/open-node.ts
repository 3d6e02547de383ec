import {createNode, type PodNode} from '../node/node.ts';
import type {CommandContext} from './command.ts';

/** The node of a command that changes pods; they outlive the command. The caller closes it. */
export function openNode({
  root,
  mode,
  imageStore,
}: Pick<CommandContext, 'root' | 'mode' | 'imageStore'>): Promise<PodNode> {
  return createNode({root, mode, imageStore, lifetime: 'detached'});
}
