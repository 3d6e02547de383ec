import {call, ioctl, mknod, O, open, run} from './operation.ts';
import type {Place} from './place.ts';

const LOOP_CTL_GET_FREE = 0x4c82;
const AUTOCLEAR = 4;

/** struct loop_config but for the descriptor of the backing file, which attacker.pl puts in: 512-byte sectors, LO_FLAGS_AUTOCLEAR. */
function config(): Uint8Array {
  const bytes = Buffer.alloc(304);
  bytes.writeUInt32LE(512, 4);
  bytes.writeUInt32LE(AUTOCLEAR, 60);
  return bytes;
}

/**
 * A loop device over a canary image, and a node of it that only root may open; both are gone when the attempt is over, since a held process
 * has the only descriptor of it (LO_FLAGS_AUTOCLEAR). With `ext4` it holds that file system. The node's path and the device's number.
 */
export async function loopDevice(
  place: Place,
  options: {readonly ext4?: boolean} = {},
): Promise<{path: string; number: number}> {
  const image = place.file('image', {content: 'subroot canary disk\n'.padEnd(512, '.')});
  await place.asHost(call('truncate', [image, 1 << 20], 'truncate'));
  if (options.ext4) {
    const end = await place.scene.asHost(run('/sbin/mkfs.ext4', '-q', '-F', '-O', '^has_journal', image));
    if (end.calls[0]?.result !== 0) throw new Error('there is no mkfs.ext4 here to make a canary disk');
  }
  for (let turn = 0; ; turn++) {
    try {
      const held = await place.hold(
        {capabilities: 'all'},
        open(image, O.RDWR, {as: 'image'}),
        open('/dev/loop-control', O.RDWR, {as: 'control'}),
        ioctl('control', LOOP_CTL_GET_FREE, 0, 'LOOP_CTL_GET_FREE', {as: 'number'}),
        open('/dev/loop{number}', O.RDWR, {as: 'loop'}),
        call('loopconfig', [{of: 'loop'}, {of: 'image'}, {bytes: config()}], 'LOOP_CONFIGURE'),
      );
      const number = held.calls[2]?.result ?? -1;
      await place.asHost(mknod(place.path('disk'), 0o060600, 7, number));
      return {path: place.path('disk'), number};
    } catch (error) {
      // Another program took the same free device first.
      if (turn >= 5 || !/EBUSY/.test(String(error))) throw error;
    }
  }
}
