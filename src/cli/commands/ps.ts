import {findPod} from '../../node/pod-list.ts';
import {ageOf} from '../ages.ts';
import {defineCommand} from '../command.ts';
import {criJson} from '../cri-json.ts';
import {exitCodes} from '../exit-codes.ts';
import {openInventory} from '../open-inventory.ts';
import {table} from '../render.ts';
import {psSchema} from '../schemas.ts';

/** `subroot ps`: containers, as `crictl ps` shows them. */
export const psCommand = defineCommand({
  options: {
    all: {alias: 'a', type: 'boolean', describe: 'those that have ended too'},
    quiet: {alias: 'q', type: 'boolean', describe: 'only the ids'},
    pod: {alias: 'p', type: 'string', requiresArg: true, describe: 'only containers of this pod'},
    name: {type: 'string', requiresArg: true, describe: 'only containers of this name'},
    'no-trunc': {type: 'boolean', describe: 'whole ids'},
  },
  schema: psSchema,
  run: async ({flags}, {output, root}) => {
    const inventory = openInventory(root);
    const names = new Map(inventory.readableSandboxes().map(({id, config}) => [id, config.metadata.name]));
    const pod = flags.pod === undefined ? undefined : findPod(inventory, flags.pod);
    const {containers} = await inventory.listContainers(pod ? {filter: {podSandboxId: pod.id}} : {});
    const shown =
      flags.pod !== undefined && !pod
        ? []
        : containers
            .filter(({state}) => flags.all || state === 'CONTAINER_RUNNING')
            .filter(({metadata}) => flags.name === undefined || metadata.name === flags.name);
    const short = (id: string) => (flags['no-trunc'] ? id : id.slice(0, 13));
    if (flags.quiet) {
      if (shown.length > 0) output.print(shown.map(({id}) => short(id)).join('\n'));
      return exitCodes.ok;
    }
    await output.emit(criJson({containers: shown}) as object, () => {
      if (shown.length === 0)
        return flags.all ? 'no containers' : 'no running containers (-a shows those that have ended)';
      return table(
        ['container', 'image', 'created', 'state', 'name', 'attempt', 'pod id', 'pod'],
        shown.map((container) => [
          short(container.id),
          container.image.userSpecifiedImage ?? container.image.image,
          ageOf(container.createdAt),
          container.state
            .slice('CONTAINER_'.length)
            .toLowerCase()
            .replace(/^./, (letter) => letter.toUpperCase()),
          container.metadata.name,
          container.metadata.attempt,
          short(container.podSandboxId),
          names.get(container.podSandboxId) ?? '',
        ]),
        {paint: output.paint, width: output.width},
      );
    });
    return exitCodes.ok;
  },
});
