import type {Container} from '../../../native-free/cri.ts';
import type {Inventory} from '../../runtime/inventory.ts';
import {ageOf} from '../ages.ts';
import {defineCommand} from '../command.ts';
import {criJson} from '../cri-json.ts';
import {exitCodes} from '../exit-codes.ts';
import {pairs} from '../flag-words.ts';
import {countWanted, listOptions, nameTest, shortId} from '../list-flags.ts';
import {openInventory} from '../open-inventory.ts';
import {psSchema} from '../pod-schemas.ts';
import {table} from '../render.ts';
import {shownName} from '../shown-name.ts';

/** `subroot ps`: containers, as `crictl ps` shows them. */
export const psCommand = defineCommand({
  options: {
    ...listOptions,
    quiet: {...listOptions.quiet, describe: 'only the ids, whole'},
    all: {alias: 'a', type: 'boolean', describe: 'those that do not run too'},
    pod: {alias: 'p', type: 'string', requiresArg: true, describe: 'only containers of this pod'},
    state: {
      alias: 's',
      type: 'string',
      choices: ['created', 'running', 'exited', 'unknown'],
      requiresArg: true,
      describe: 'only containers in this state',
    },
    image: {type: 'string', requiresArg: true, describe: 'only containers of this image'},
  },
  schema: psSchema,
  run: async ({flags}, {output, root}) => {
    const fits = nameTest('--name', flags.name);
    const wanted = countWanted(flags);
    const labelSelector = pairs('--label', flags.label, 'KEY=VALUE');
    const inventory = openInventory(root);
    const pod =
      flags.pod === undefined ? undefined : (await import('../target.ts')).findPodTarget(inventory, flags.pod);
    const {containers} = await inventory.listContainers({
      filter: {labelSelector, ...(pod ? {podSandboxId: pod.id} : {})},
    });
    const anyState = flags.all || wanted !== undefined;
    const state = flags.state ?? (anyState ? undefined : 'running');
    const shown = containers
      .filter((container) => state === undefined || stateWord(container) === state)
      .filter(({metadata}) => fits(metadata.name))
      .filter(({image}) => flags.image === undefined || [image.image, image.userSpecifiedImage].includes(flags.image))
      .slice(0, wanted);
    if (flags.quiet) {
      if (shown.length > 0) output.print(shown.map(({id}) => id).join('\n'));
      return exitCodes.ok;
    }
    const rows = await Promise.all(shown.map((container) => rowOf(inventory, container, flags['no-trunc'] === true)));
    await output.emit(criJson({containers: shown}) as object, () => {
      if (rows.length === 0)
        return state === 'running' ? 'no running containers (-a shows the others)' : 'no containers';
      return table(heading, rows, {paint: output.paint, width: output.width});
    });
    return exitCodes.ok;
  },
});

const heading = ['container', 'image', 'created', 'state', 'name', 'attempt', 'pod id', 'pod'];

async function rowOf(inventory: Inventory, container: Container, isWhole: boolean): Promise<(string | number)[]> {
  const id = (whole: string) => (isWhole ? whole : shortId(whole));
  const word = stateWord(container);
  const state = word.replace(/^./, (letter) => letter.toUpperCase());
  const pod = inventory.findSandbox(container.podSandboxId);
  return [
    id(container.id),
    container.image.userSpecifiedImage ?? container.image.image,
    ageOf(container.createdAt),
    word === 'exited' ? `${state} (${await exitCodeOf(inventory, container.id)})` : state,
    container.metadata.name,
    container.metadata.attempt,
    id(container.podSandboxId),
    pod ? shownName(pod.config.metadata) : '',
  ];
}

/** Its exit code, or `?` when it was removed meanwhile. */
async function exitCodeOf(inventory: Inventory, containerId: string): Promise<string> {
  return await inventory.containerStatus({containerId}).then(
    ({status}) => String(status.exitCode),
    () => '?',
  );
}

function stateWord({state}: Container): string {
  return state.slice('CONTAINER_'.length).toLowerCase();
}
