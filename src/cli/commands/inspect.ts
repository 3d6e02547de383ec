import {lifeOf} from '../../node/pod-life.ts';
import {terminationMessageOf} from '../../node/termination-message.ts';
import {defineCommand} from '../command.ts';
import {criJson} from '../cri-json.ts';
import {drawFields} from '../draw-fields.ts';
import {exitCodes} from '../exit-codes.ts';
import {lifeJson} from '../life-json.ts';
import {openInventory} from '../open-inventory.ts';
import {inspectPodSchema, inspectSchema} from '../pod-schemas.ts';
import {containerOf, findTarget} from '../target.ts';

function infoOf(info: Readonly<Record<string, string>>): object {
  return JSON.parse(info.info ?? '{}') as object;
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
  defaultFormat: 'json',
  run: async ({flags, words}, {output, root}) => {
    const inventory = openInventory(root);
    const containerId = await containerOf(findTarget(inventory, words[0] ?? ''), flags.container, output);
    const {status, info} = await inventory.containerStatus({containerId, verbose: true});
    // What the container left as its last words stands beside what the runtime says.
    const message = [status.message, terminationMessageOf(status)].filter(Boolean).join('\n');
    const value = criJson({status: {...status, message}, info: infoOf(info)}) as object;
    await output.emit(value, () => drawFields(value, output));
    return exitCodes.ok;
  },
});

/** `subroot inspectp`: a pod's status, in the shape of `crictl inspectp`, with its maps as the caller sees them. */
export const inspectPodCommand = defineCommand({
  options: {},
  schema: inspectPodSchema,
  defaultFormat: 'json',
  run: async ({words}, {output, root}) => {
    const inventory = openInventory(root);
    const {pod} = findTarget(inventory, words[0] ?? '');
    const {status, info} = await inventory.podSandboxStatus({podSandboxId: pod.id, verbose: true});
    const {uid, gid} = pod.map;
    const life = lifeJson(lifeOf(inventory, inventory.requireSandbox(pod.id)));
    const value = criJson({status, info: {...infoOf(info), map: {uid, gid}, life}}) as object;
    await output.emit(value, () => drawFields(value, output));
    return exitCodes.ok;
  },
});
