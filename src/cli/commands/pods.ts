import {listPods} from '../../node/pod-list.ts';
import {ageOf} from '../ages.ts';
import {defineCommand} from '../command.ts';
import {criJson} from '../cri-json.ts';
import {exitCodes} from '../exit-codes.ts';
import {openInventory} from '../open-inventory.ts';
import {table} from '../render.ts';
import {podsSchema} from '../schemas.ts';

/** `subroot pods`: the pods of this node, as `crictl pods` shows them, with their ids. */
export const podsCommand = defineCommand({
  options: {
    quiet: {alias: 'q', type: 'boolean', describe: 'only the names'},
    name: {type: 'string', requiresArg: true, describe: 'only pods of this name'},
    namespace: {type: 'string', requiresArg: true, describe: 'only pods of this namespace'},
    state: {
      alias: 's',
      type: 'string',
      choices: ['ready', 'notready'],
      requiresArg: true,
      describe: 'only pods in this state',
    },
    'no-trunc': {type: 'boolean', describe: 'whole ids'},
  },
  schema: podsSchema,
  run: async ({flags}, {output, root}) => {
    const pods = (await listPods(openInventory(root)))
      .filter((pod) => flags.name === undefined || pod.name === flags.name)
      .filter((pod) => flags.namespace === undefined || pod.namespace === flags.namespace)
      .filter((pod) => flags.state === undefined || pod.state.toLowerCase() === flags.state);
    if (flags.quiet) {
      if (pods.length > 0)
        output.print(
          pods.map(({name, namespace}) => (namespace === 'default' ? name : `${namespace}/${name}`)).join('\n'),
        );
      return exitCodes.ok;
    }
    const items = pods.map(({id, name, namespace, uid, state, mode, createdAt, pid, block, containers}) => ({
      id,
      metadata: {name, namespace, uid},
      state: state === 'Ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
      createdAt,
      mode,
      pid: pid ?? null,
      block: block ?? null,
      containers,
    }));
    await output.emit(criJson({items}) as object, () => {
      if (pods.length === 0) return 'no pods';
      return table(
        ['pod id', 'created', 'state', 'name', 'namespace', 'mode', 'root is', 'ids'],
        pods.map((pod) => [
          flags['no-trunc'] ? pod.id : pod.id.slice(0, 13),
          ageOf(pod.createdAt),
          pod.state,
          pod.name,
          pod.namespace,
          pod.mode,
          pod.block ? `uid ${pod.block.first}` : 'uid 0',
          pod.block?.size ?? 'all',
        ]),
        {paint: output.paint, width: output.width},
      );
    });
    return exitCodes.ok;
  },
});
