import {printable} from '../../../native-free/errors.ts';
import {criImage} from '../../images/catalog.ts';
import {createNode} from '../../node/node.ts';
import {defineCommand} from '../command.ts';
import {EndedBySignal, withEndingSignals} from '../ending-signals.ts';
import {exitCodes} from '../exit-codes.ts';
import {wholeNumber} from '../flag-words.ts';
import {imageJson} from '../image-json.ts';
import {importSchema} from '../image-schemas.ts';
import {PullDisplay} from '../pull-display.ts';

/** `subroot import`: images of files and folders of this machine into the store; no network is needed. */
export const importCommand = defineCommand({
  options: {
    quiet: {alias: 'q', type: 'boolean', describe: 'only the ids'},
    'ids-per-pod': {type: 'string', requiresArg: true, describe: 'ids that pods have, a multiple of 65536 (65536)'},
  },
  schema: importSchema,
  run: async ({flags, words}, {output, root, mode, imageStore}) => {
    const [source = '', name] = words;
    const idsPerPod = wholeNumber('--ids-per-pod', flags['ids-per-pod'], 'ids', 65_536);
    if (source === '-' && process.stdin.isTTY) output.progress('reading an archive from this terminal; Ctrl-D ends it');
    return await withEndingSignals(async (ended) => {
      const node = await createNode({
        root,
        mode,
        imageStore,
        lifetime: 'detached',
        ...(idsPerPod === undefined ? {} : {idsPerPod}),
      });
      try {
        const images = await node.images();
        const imported = await images.importFrom(source, {
          ...(name === undefined ? {} : {name}),
          stdin: process.stdin,
          signal: ended,
          // What it is at passes too quickly to be read; what one should know does not.
          onProgress: (progress) => {
            if (progress.what === 'note') new PullDisplay().show(progress);
          },
        });
        await output.emit({images: imported.map((image) => imageJson(criImage(image)))}, () =>
          imported
            .map(({id, refs}) => (flags.quiet ? id : `${printable(refs[0]?.reference ?? '')} is image ${id}`))
            .join('\n'),
        );
        return exitCodes.ok;
      } catch (error) {
        if (ended.aborted && ended.reason instanceof EndedBySignal) return ended.reason.exitCode;
        throw error;
      } finally {
        await node.close();
      }
    });
  },
});
