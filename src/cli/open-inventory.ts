import {Inventory} from '../runtime/inventory.ts';
import {StateStore} from '../runtime/state-store.ts';

/** The pods of a state folder, for commands that only look: no agent is started. */
export function openInventory(root: string): Inventory {
  return new Inventory(StateStore.openToRead(root));
}
