import type {ContainerConfig} from '../../native-free/cri.ts';
import {type ContainerUser, userOf} from '../runtime/container-user.ts';
import {withImage} from '../runtime/image-program.ts';
import {mappingsOf} from '../runtime/mappings.ts';
import type {ContainerRecord, SandboxRecord} from '../runtime/state-store.ts';
import type {ModeSetup} from '../userns/mode.ts';

/** A container of an image of the store as it would be made, without making anything: no layer is unpacked and nothing is pulled. */
export interface PlannedImage {
  readonly config: ContainerConfig;
  readonly image: NonNullable<ContainerRecord['image']>;
  readonly user: ContainerUser;
}

/**
 * What is known of a container's image. Of one that is not here the plan says so in words: its layers, and its program where the container has
 * none of its own. Errors: SUBROOT_AMBIGUOUS, SUBROOT_IMAGE_STORE_*.
 */
export async function planImage(
  storeRoot: string,
  config: ContainerConfig,
  sandbox: SandboxRecord,
  setup: ModeSetup,
): Promise<PlannedImage> {
  const [{ImageStore}, {findStored}, {shiftedView, unshiftedViewOf}, {layersOf}, {readLayerFile}] = await Promise.all([
    import('../images/image-store.ts'),
    import('../images/catalog.ts'),
    import('../images/layer-view.ts'),
    import('../images/layer-stack.ts'),
    import('../images/layer-files.ts'),
  ]);
  const store = ImageStore.openToRead(storeRoot);
  const name = config.image.image;
  const image = findStored(store, name);
  if (!image) {
    const command = config.command?.length || config.args?.length ? {} : {command: [`(the program of ${name})`]};
    const lowers = [`(the layers of ${name}, which is pulled first)`];
    const known = {...config, ...command};
    return {
      config: known,
      image: {id: '', lowers, isShifted: setup.mode === 'host', usePath: ''},
      user: userOf(known, () => undefined),
    };
  }
  // Where the kernel can shift ids, that is how layers are kept from the beginning.
  const isShifted =
    setup.mode === 'host' && image.config.diffIds.every((diffId) => store.hasLayer(shiftedView.name, diffId));
  const view = isShifted ? shiftedView : unshiftedViewOf(setup, mappingsOf(sandbox.config));
  const lowers = layersOf(store, image, view.name);
  const readFile = (path: string) => readLayerFile(lowers, path);
  const held = {id: image.id, config: image.config, lowers, isShifted, usePath: '', readFile};
  const merged = withImage(config, held);
  return {config: merged, image: held, user: userOf(merged, readFile)};
}
