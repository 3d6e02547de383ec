import {printable} from '../../../native-free/errors.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {openNode} from '../open-node.ts';
import {gcSchema} from '../pod-schemas.ts';
import {columns} from '../render.ts';

/** `subroot gc`: removes what crashed or killed processes left; a running pod is never touched. */
export const gcCommand = defineCommand({
  options: {'dry-run': {type: 'boolean', describe: 'only tell what would be removed'}},
  schema: gcSchema,
  run: async ({flags}, context) => {
    const node = await openNode(context);
    try {
      const report = await node.gc({dryRun: flags['dry-run'] === true});
      const {output} = context;
      await output.emit(report, () => {
        const verb = flags['dry-run'] ? 'would remove' : 'removed';
        const rows = [
          ...report.removed.map(({kind, what, why}) => [verb, kind, printable(what), why]),
          ...report.quarantined.map(({what, why}) => ['set aside', '', printable(what), printable(why)]),
        ];
        return rows.length === 0 ? 'nothing was left behind' : columns(rows, output.width).join('\n');
      });
      return report.quarantined.length > 0 ? exitCodes.found : exitCodes.ok;
    } finally {
      await node.close();
    }
  },
});
