import {lifeOf} from '../../node/pod-life.ts';
import {listPods, type PodSummary} from '../../node/pod-list.ts';
import type {Inventory} from '../../runtime/inventory.ts';
import {ageOf} from '../ages.ts';
import {defineCommand} from '../command.ts';
import {criJson} from '../cri-json.ts';
import {exitCodes} from '../exit-codes.ts';
import {pairs} from '../flag-words.ts';
import {lifeJson} from '../life-json.ts';
import {countWanted, listOptions, nameTest, shortId} from '../list-flags.ts';
import {openInventory} from '../open-inventory.ts';
import {podsSchema} from '../pod-schemas.ts';
import {table} from '../render.ts';
import {shownName} from '../shown-name.ts';

/** `subroot pods`: the pods of this node, as `crictl pods` shows them, with their ids. */
export const podsCommand = defineCommand({
  options: {
    ...listOptions,
    quiet: {...listOptions.quiet, describe: 'only the names; with --no-trunc the whole ids'},
    namespace: {type: 'string', requiresArg: true, describe: 'only pods of this namespace'},
    state: {
      alias: 's',
      type: 'string',
      choices: ['ready', 'notready'],
      requiresArg: true,
      describe: 'only pods in this state',
    },
  },
  schema: podsSchema,
  run: async ({flags}, {output, root}) => {
    const fits = nameTest('--name', flags.name);
    const wanted = countWanted(flags);
    const labelSelector = pairs('--label', flags.label, 'KEY=VALUE');
    const inventory = openInventory(root);
    const {items} = await inventory.listPodSandbox({filter: {labelSelector}});
    const labelled = new Set(items.map(({id}) => id));
    const pods = (await listPods(inventory))
      .filter(({id}) => labelled.has(id))
      .filter(({name}) => fits(name))
      .filter(({namespace}) => flags.namespace === undefined || namespace === flags.namespace)
      .filter(({state}) => flags.state === undefined || state.toLowerCase() === flags.state)
      .slice(0, wanted);
    const isWhole = flags['no-trunc'] === true;
    if (flags.quiet) {
      if (pods.length > 0) output.print((isWhole ? pods.map(({id}) => id) : namesOf(pods)).join('\n'));
      return exitCodes.ok;
    }
    await output.emit(criJson({items: pods.flatMap((pod) => itemOf(inventory, pod))}) as object, () =>
      pods.length === 0
        ? 'no pods'
        : table(
            [
              'pod id',
              'created',
              'state',
              'ready',
              'status',
              'restarts',
              'name',
              'namespace',
              'mode',
              'root is',
              'ids',
            ],
            pods.map((pod) => rowOf(inventory, pod, isWhole)),
            {paint: output.paint, width: output.width},
          ),
    );
    return exitCodes.ok;
  },
});

/** Words that name each pod for the other commands: its name, or its id where several sandboxes have one name. */
function namesOf(pods: readonly PodSummary[]): string[] {
  const names = pods.map(shownName);
  return names.map((name, index) => (names.indexOf(name) === names.lastIndexOf(name) ? name : (pods[index]?.id ?? '')));
}

function rowOf(inventory: Inventory, pod: PodSummary, isWhole: boolean): (string | number)[] {
  const record = inventory.findSandbox(pod.id);
  const life = record && lifeOf(inventory, record);
  return [
    isWhole ? pod.id : shortId(pod.id),
    ageOf(pod.createdAt),
    pod.state,
    // Nobody looked: a container that runs may not be ready.
    life?.ready ? `${life.ready.count}/${life.ready.total}` : '?',
    life?.status ?? '?',
    life?.restarts ?? 0,
    pod.name,
    pod.namespace,
    pod.mode,
    pod.block ? `uid ${pod.block.first}` : 'uid 0',
    pod.block?.size ?? 'all',
  ];
}

/** What CRI says of a pod, and beside it what subroot knows: its mode, pid, ids, life and containers. None when it was removed meanwhile. */
function itemOf(inventory: Inventory, {id, mode, pid, block, containers}: PodSummary) {
  const record = inventory.findSandbox(id);
  if (!record) return [];
  const life = lifeJson(lifeOf(inventory, record));
  return [{...inventory.describeSandbox(record), mode, pid: pid ?? null, block: block ?? null, life, containers}];
}
