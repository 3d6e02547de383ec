import {printable, subrootError} from '../../../native-free/errors.ts';
import {criImage, findStored, listStored} from '../../images/catalog.ts';
import {imageInfo} from '../../images/image-info.ts';
import {ImageStore, type StoredImage} from '../../images/image-store.ts';
import {storeUsage} from '../../images/store-usage.ts';
import {ageOf} from '../ages.ts';
import {byteSize} from '../byte-size.ts';
import {defineCommand} from '../command.ts';
import {drawFields} from '../draw-fields.ts';
import {exitCodes} from '../exit-codes.ts';
import {printFailure} from '../failure.ts';
import {imageJson} from '../image-json.ts';
import {imageFsInfoSchema, imagesSchema, inspectImageSchema} from '../image-schemas.ts';
import {table} from '../render.ts';

/** The first 13 digits of an image's id, as crictl shows it. */
const shortImageId = (id: string) => id.replace('sha256:', '').slice(0, 13);

/** `subroot images`: the images of the store, as `crictl images` shows them. */
export const imagesCommand = defineCommand({
  options: {
    quiet: {alias: 'q', type: 'boolean', describe: 'only the ids, whole'},
    digests: {type: 'boolean', describe: 'the digests of manifests too'},
    'no-trunc': {type: 'boolean', describe: 'whole ids'},
  },
  schema: imagesSchema,
  run: async ({flags, words}, {output, imageStore, format, debug}) => {
    const store = ImageStore.openToRead(imageStore);
    const [word] = words;
    const damaged: unknown[] = [];
    const found = word === undefined ? undefined : findStored(store, word);
    const images = word === undefined ? listStored(store, (error) => damaged.push(error)) : found ? [found] : [];
    if (flags.quiet) {
      if (images.length > 0) output.print(images.map(({id}) => id).join('\n'));
    } else {
      await output.emit({images: images.map((image) => imageJson(criImage(image)))}, () =>
        images.length === 0
          ? word === undefined
            ? `no images in ${printable(imageStore)}`
            : `no image ${printable(word)}`
          : table(
              ['image', 'tag', ...(flags.digests ? ['digest'] : []), 'image id', 'size', 'added'],
              images.flatMap((image) => rowsOf(image, flags.digests === true, flags['no-trunc'] === true)),
              {paint: output.paint, width: output.width},
            ),
      );
    }
    for (const error of damaged) await printFailure(error, {format, debug});
    return damaged.length > 0 ? exitCodes.found : exitCodes.ok;
  },
});

/** A row for each tag of an image; one without tags has one row, of its digest. */
function rowsOf(image: StoredImage, hasDigests: boolean, isWhole: boolean): string[][] {
  const {id, repoTags, repoDigests, size} = criImage(image);
  const digestOf = (name: string) => repoDigests.find((each) => each.startsWith(`${name}@`))?.split('@')[1] ?? '<none>';
  const tags = repoTags.map((full) => {
    const colon = full.lastIndexOf(':');
    return [full.slice(0, colon), full.slice(colon + 1)] as const;
  });
  const names = tags.length > 0 ? tags : [[repoDigests[0]?.split('@')[0] ?? '<none>', '<none>'] as const];
  const added = ageOf(BigInt(image.refs[0]?.addedAt ?? 0));
  return names.map(([name, tag]) => [
    name,
    tag,
    ...(hasDigests ? [isWhole ? digestOf(name) : digestOf(name).slice(0, 19)] : []),
    isWhole ? id : shortImageId(id),
    byteSize(size),
    added,
  ]);
}

/** `subroot inspecti`: an image, in the shape of `crictl inspecti`. */
export const inspectImageCommand = defineCommand({
  options: {},
  schema: inspectImageSchema,
  defaultFormat: 'json',
  run: async ({words}, {output, imageStore}) => {
    const store = ImageStore.openToRead(imageStore);
    const [word = ''] = words;
    const image = findStored(store, word);
    if (!image) throw subrootError('SUBROOT_IMAGE_UNKNOWN', {image: word, why: `it is not in ${imageStore}`});
    const value = {status: imageJson(criImage(image)), info: imageInfo(store, image)};
    await output.emit(value, () => drawFields(value, output));
    return exitCodes.ok;
  },
});

/** `subroot imagefsinfo`: what the store of images uses of its disk, in the shape of `crictl imagefsinfo`. */
export const imageFsInfoCommand = defineCommand({
  options: {},
  schema: imageFsInfoSchema,
  defaultFormat: 'json',
  run: async (_, {output, imageStore}) => {
    const {timestamp, fsId, usedBytes, inodesUsed} = storeUsage(ImageStore.openToRead(imageStore));
    const usage = {
      timestamp: String(timestamp),
      fsId,
      usedBytes: {value: String(usedBytes.value)},
      inodesUsed: {value: String(inodesUsed.value)},
    };
    const value = {status: {imageFilesystems: [usage], containerFilesystems: []}};
    await output.emit(value, () => drawFields(value, output));
    return exitCodes.ok;
  },
});
