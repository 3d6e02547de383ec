import {printable, subrootError} from '../../../native-free/errors.ts';
import {findRefs} from '../../images/catalog.ts';
import type {ImageManager} from '../../images/image-manager.ts';
import {byteSize} from '../byte-size.ts';
import {type CommandContext, defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {printFailure, usageError} from '../failure.ts';
import {removeImageSchema} from '../image-schemas.ts';
import {openNode} from '../open-node.ts';

/** `subroot rmi`: images with all their names, and what nobody else has of them, in the words of `crictl rmi`. */
export const removeImageCommand = defineCommand({
  options: {
    all: {alias: 'a', type: 'boolean', describe: 'every image'},
    prune: {alias: 'q', type: 'boolean', describe: 'every image that no container uses'},
    force: {
      alias: 'f',
      type: 'boolean',
      describe: 'images in use too (their containers go on), and no error for one that is not there',
    },
  },
  schema: removeImageSchema,
  run: async ({flags, words}, context) => {
    const takesAll = flags.all === true || flags.prune === true;
    if (takesAll === words.length > 0)
      throw usageError(
        takesAll ? '--all and --prune take no images' : 'no image was named',
        takesAll ? 'leave the names out' : 'name images, as `subroot images` lists them, or give --all or --prune',
      );
    const {output} = context;
    const node = await openNode(context);
    try {
      const images = await node.images();
      const {chosen, exitCode} = await choose(images, words, {...flags, takesAll}, context);
      for (const {names} of chosen) for (const name of names) images.store.removeRef(name);
      const isIdle = chosen.length === 0 && !takesAll;
      const swept = isIdle ? {removed: [], isBusy: false} : await images.sweep();
      const freedBytes = swept.removed.reduce((sum, {bytes}) => sum + bytes, 0);
      const lines = [
        ...chosen.map(({id, names}) => `image ${printable(names.join(' ') || id)} removed`),
        ...(swept.isBusy ? ['another subroot is pulling: `subroot gc` frees the space later'] : []),
        ...(freedBytes > 0 ? [`${byteSize(freedBytes)} freed`] : []),
      ];
      if (lines.length === 0 && exitCode === exitCodes.ok) lines.push('nothing was removed');
      if (context.format !== 'table') await output.emit({removed: chosen, freedBytes, isBusy: swept.isBusy}, () => '');
      else if (lines.length > 0) output.print(lines.join('\n'));
      return exitCode;
    } finally {
      await node.close();
    }
  },
});

interface Choice {
  readonly prune?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly takesAll: boolean;
}

/** An image by its names alone: one that is damaged can go too. */
interface Named {
  readonly id: string;
  readonly names: readonly string[];
}

/** The images that are to go; what cannot go is printed, and the others go all the same. */
async function choose(
  images: ImageManager,
  words: readonly string[],
  {prune, force, takesAll}: Choice,
  {format, debug, imageStore}: CommandContext,
): Promise<{chosen: Named[]; exitCode: number}> {
  const {store} = images;
  const candidates = takesAll ? [...new Set(store.refs().map(({image}) => image))] : words;
  const chosen = new Map<string, Named>();
  let exitCode: number = exitCodes.ok;
  for (const word of candidates) {
    try {
      const refs = findRefs(store, word);
      const [first] = refs;
      if (first === undefined) {
        if (force) continue;
        throw subrootError('SUBROOT_IMAGE_UNKNOWN', {image: word, why: `it is not in ${imageStore}`});
      }
      const users = images.usersOf(first.image);
      if (users.length > 0 && prune) continue;
      if (users.length > 0 && !force) {
        const shown = users.length > 5 ? [...users.slice(0, 5), `${users.length - 5} more`] : users;
        const image = takesAll ? first.reference : word;
        throw subrootError('SUBROOT_IMAGE_IN_USE', {image, users: `pod ${shown.join(', pod ')}`});
      }
      chosen.set(first.image, {id: first.image, names: refs.map(({reference}) => reference).sort()});
    } catch (error) {
      exitCode = await printFailure(error, {format, debug});
    }
  }
  return {chosen: [...chosen.values()], exitCode};
}
