import {open} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {type LogRecord, parseLogLine} from '../../runtime/log-reader.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import {openInventory} from '../open-inventory.ts';
import {logsSchema} from '../schemas.ts';
import {findTarget} from '../target.ts';

/** `subroot logs`: what a container has written, each stream to its own. */
export const logsCommand = defineCommand({
  options: {
    follow: {alias: 'f', type: 'boolean', describe: 'go on until the container ends'},
    tail: {type: 'string', requiresArg: true, describe: 'only the last N lines'},
    timestamps: {alias: 't', type: 'boolean', describe: 'with the time of each line'},
    container: {alias: 'c', type: 'string', requiresArg: true, describe: 'the container; the first by default'},
  },
  schema: logsSchema,
  run: async ({flags, words}, {output, root}) => {
    const [ref = ''] = words;
    const inventory = openInventory(root);
    const target = findTarget(inventory, ref);
    const containerId = target.containerId ?? (await target.pod.containerId(flags.container));
    if (flags.tail !== undefined && !/^\d+$/.test(flags.tail))
      throw usageError(`--tail ${flags.tail} is no number of lines`, 'write a whole number, such as --tail 20');
    const {status} = await inventory.containerStatus({containerId});
    const records = await target.pod.logs({container: containerId});
    const shown = flags.tail === undefined ? records : records.slice(-Number(flags.tail) || records.length);
    if (output.format !== 'table') {
      await output.emit({records: shown}, () => '');
      return exitCodes.ok;
    }
    const write = ({time, stream, partial, text}: LogRecord) => {
      const target = stream === 'stderr' ? process.stderr : process.stdout;
      target.write(`${flags.timestamps ? `${time} ` : ''}${text}${partial ? '' : '\n'}`);
    };
    for (const record of shown) write(record);
    if (flags.follow) {
      await follow(
        status.logPath,
        records,
        write,
        async () => (await inventory.containerStatus({containerId})).status.state === 'CONTAINER_RUNNING',
      );
    }
    return exitCodes.ok;
  },
});

/** Reads on from where the records ended, until the container has ended and all it wrote was read. */
async function follow(
  path: string,
  seen: readonly LogRecord[],
  write: (record: LogRecord) => void,
  isRunning: () => Promise<boolean>,
): Promise<void> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return;
  let skip = seen.length;
  let rest = Buffer.alloc(0);
  const buffer = Buffer.alloc(65_536);
  try {
    for (let last = false; ; ) {
      const {bytesRead} = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) {
        if (last) return;
        last = !(await isRunning());
        if (!last) await sleep(50);
        continue;
      }
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const record = parseLogLine(rest.toString('utf8', 0, end));
        rest = rest.subarray(end + 1);
        if (!record) continue;
        if (skip > 0) skip--;
        else write(record);
      }
    }
  } finally {
    await file.close();
  }
}
