import type {Inventory} from '../runtime/inventory.ts';

/** True when a container will write no more: it has ended, or it was removed. */
export async function hasEnded(inventory: Inventory, containerId: string): Promise<boolean> {
  try {
    const {status} = await inventory.containerStatus({containerId});
    return status.state === 'CONTAINER_EXITED';
  } catch {
    return true;
  }
}
