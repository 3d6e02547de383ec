import {defineCommand} from '../command.ts';
import {criJson} from '../cri-json.ts';
import {exitCodes} from '../exit-codes.ts';
import {openInventory} from '../open-inventory.ts';
import {inspectPodSchema, inspectSchema} from '../schemas.ts';
import {findTarget} from '../target.ts';

function infoOf(info: Record<string, string>): unknown {
  return JSON.parse(info.info ?? '{}');
}

/** `subroot inspect`: a container's status, in the shape of `crictl inspect`. */
export const inspectCommand = defineCommand({
  options: {
    container: {
      alias: 'c',
      type: 'string',
      requiresArg: true,
      describe: 'the container of a pod; the first by default',
    },
  },
  schema: inspectSchema,
  run: async ({flags, words}, {output, root}) => {
    const [ref = ''] = words;
    const inventory = openInventory(root);
    const target = findTarget(inventory, ref);
    const containerId = target.containerId ?? (await target.pod.containerId(flags.container));
    const {status, info} = await inventory.containerStatus({containerId, verbose: true});
    const value = criJson({status, info: infoOf(info)}) as object;
    await output.emit(value, () => JSON.stringify(value, null, 2));
    return exitCodes.ok;
  },
});

/** `subroot inspectp`: a pod's status, in the shape of `crictl inspectp`, with its maps as the caller sees them. */
export const inspectPodCommand = defineCommand({
  options: {},
  schema: inspectPodSchema,
  run: async ({words}, {output, root}) => {
    const [ref = ''] = words;
    const inventory = openInventory(root);
    const {pod} = findTarget(inventory, ref);
    const {status, info} = await inventory.podSandboxStatus({podSandboxId: pod.id, verbose: true});
    const {uid, gid} = pod.map;
    const value = criJson({status, info: {...(infoOf(info) as object), map: {uid, gid}}}) as object;
    await output.emit(value, () => JSON.stringify(value, null, 2));
    return exitCodes.ok;
  },
});
