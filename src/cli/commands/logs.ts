import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {ContainerStatus} from '../../../native-free/cri.ts';
import {subrootError} from '../../../native-free/errors.ts';
import type {LogRecord} from '../../runtime/log-reader.ts';
import {defineCommand} from '../command.ts';
import {hasEnded} from '../container-end.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import {moment, wholeNumber} from '../flag-words.ts';
import {selectRecords} from '../log-records.ts';
import {LogWriter} from '../log-writer.ts';
import {openInventory} from '../open-inventory.ts';
import {logsSchema} from '../pod-schemas.ts';
import {containerOf, findTarget} from '../target.ts';

/** `subroot logs`: what a container has written, each stream to its own. */
export const logsCommand = defineCommand({
  options: {
    follow: {alias: 'f', type: 'boolean', describe: 'go on until the container ends'},
    tail: {type: 'string', requiresArg: true, describe: 'only the last N lines'},
    since: {type: 'string', requiresArg: true, describe: 'only what is newer: 90s, 1h30m, or an RFC 3339 time'},
    timestamps: {alias: 't', type: 'boolean', describe: 'with the time of each line'},
    'limit-bytes': {type: 'string', requiresArg: true, describe: 'only that many bytes'},
    previous: {alias: 'p', type: 'boolean', describe: 'of the attempt before this one'},
    container: {alias: 'c', type: 'string', requiresArg: true, describe: 'the container; the first by default'},
  },
  schema: logsSchema,
  run: async ({flags, words}, {output, root}) => {
    const tail = wholeNumber('--tail', flags.tail, 'lines', 20);
    const limitBytes = wholeNumber('--limit-bytes', flags['limit-bytes'], 'bytes', 65_536);
    const since = moment('--since', flags.since, Date.now());
    if (flags.follow && output.format !== 'table')
      throw usageError(
        `--follow has no end, and ${output.format} is one value`,
        'leave out either --follow or --output',
      );
    if (flags.follow && flags.previous)
      throw usageError('the attempt before this one has ended: nothing follows', 'leave out --follow or --previous');
    const inventory = openInventory(root);
    const containerId = await containerOf(findTarget(inventory, words[0] ?? ''), flags.container, output);
    const {status} = await inventory.containerStatus({containerId});
    const path = flags.previous ? previousLog(status) : status.logPath;
    const isOver = flags.follow ? () => hasEnded(inventory, containerId) : undefined;
    const records = selectRecords(path, {tail, since, isOver});
    if (output.format === 'table')
      await writeAll(records, new LogWriter({timestamps: flags.timestamps === true, limitBytes}));
    else await output.emit({records: await collect(records)}, () => '');
    return exitCodes.ok;
  },
});

async function writeAll(records: AsyncIterable<LogRecord>, writer: LogWriter): Promise<void> {
  for await (const record of records) if (!writer.write(record)) return;
}

async function collect(records: AsyncIterable<LogRecord>): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const record of records) all.push({...record, text: Buffer.from(record.text, 'latin1').toString('utf8')});
  return all;
}

/** The log of the attempt before, which stays when its container is removed: CONTAINER/ATTEMPT.log. Throws SUBROOT_NOT_FOUND. */
function previousLog({metadata, logPath}: ContainerStatus): string {
  const path = join(dirname(logPath), `${metadata.attempt - 1}.log`);
  if (metadata.attempt === 0 || !existsSync(path))
    throw subrootError('SUBROOT_NOT_FOUND', {kind: 'earlier attempt of container', ref: metadata.name, list: 'ps -a'});
  return path;
}
