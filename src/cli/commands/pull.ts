import type {AuthConfig} from '../../../native-free/cri.ts';
import {printable, subrootError} from '../../../native-free/errors.ts';
import {criImage} from '../../images/catalog.ts';
import type {StoredImage} from '../../images/image-store.ts';
import {createNode} from '../../node/node.ts';
import {defineCommand} from '../command.ts';
import {EndedBySignal, withEndingSignals} from '../ending-signals.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import {seconds, wholeNumber} from '../flag-words.ts';
import {imageJson} from '../image-json.ts';
import {pullSchema} from '../image-schemas.ts';
import {PullDisplay} from '../pull-display.ts';
import {registryFlags, registryOptions} from '../registry-flags.ts';

/** `subroot pull`: images from registries into the store, in the words of `crictl pull`. */
export const pullCommand = defineCommand({
  options: {
    creds: {type: 'string', requiresArg: true, describe: 'USER:PASSWORD for the registry'},
    auth: {type: 'string', requiresArg: true, describe: 'the same as base64'},
    ...registryFlags,
    'pull-timeout': {type: 'string', requiresArg: true, describe: 'seconds after which to give up; none by default'},
    'ids-per-pod': {type: 'string', requiresArg: true, describe: 'ids that pods have, a multiple of 65536 (65536)'},
    quiet: {alias: 'q', type: 'boolean', describe: 'no progress, only the id'},
  },
  schema: pullSchema,
  run: async ({flags, words}, context) => {
    const auth = credentialsOf(flags.creds, flags.auth);
    const limit = seconds('--pull-timeout', flags['pull-timeout'], 300);
    const idsPerPod = wholeNumber('--ids-per-pod', flags['ids-per-pod'], 'ids', 65_536);
    const {output, root, mode, imageStore} = context;
    const display = new PullDisplay();
    return await withEndingSignals(async (ended) => {
      const node = await createNode({
        root,
        mode,
        imageStore,
        lifetime: 'detached',
        registries: registryOptions(flags),
        ...(idsPerPod === undefined ? {} : {idsPerPod}),
      });
      try {
        const images = await node.images();
        const pulled: StoredImage[] = [];
        for (const word of words) {
          const timeout = limit === undefined ? undefined : AbortSignal.timeout(limit * 1000);
          try {
            const image = await images.pull(word, {
              ...(auth ? {auth} : {}),
              signal: timeout ? AbortSignal.any([ended, timeout]) : ended,
              ...(flags.quiet ? {} : {onProgress: display.show}),
            });
            display.finish();
            pulled.push(image);
          } catch (error) {
            if (ended.aborted && ended.reason instanceof EndedBySignal) return ended.reason.exitCode;
            if (timeout?.aborted) throw subrootError('SUBROOT_PULL_TIMEOUT', {image: word, seconds: limit ?? 0}, error);
            throw error;
          }
        }
        await output.emit({images: pulled.map((image) => imageJson(criImage(image)))}, () =>
          pulled
            .map(({id, refs}) => (flags.quiet ? id : `${printable(refs[0]?.reference ?? '')} is image ${id}`))
            .join('\n'),
        );
        return exitCodes.ok;
      } finally {
        await node.close();
      }
    });
  },
});

function credentialsOf(creds: string | undefined, auth: string | undefined): AuthConfig | undefined {
  if (creds === undefined) return auth === undefined ? undefined : {auth};
  const colon = creds.indexOf(':');
  if (auth !== undefined) throw usageError('--creds and --auth say the same thing', 'give one of them');
  if (colon < 1) throw usageError('--creds has no password', 'write --creds USER:PASSWORD, or log in before');
  return {username: creds.slice(0, colon), password: creds.slice(colon + 1)};
}
