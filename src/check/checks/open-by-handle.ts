import {attack, docker, expectedOfCapability, nist, tried} from '../define.ts';
import {AT_FDCWD, call, O, open, read, struct} from '../operation.ts';

/** An inode by its handle: no path, no folder on the way. */
export const openByHandle = tried(
  'K',
  {
    id: 'open-by-handle',
    title: 'no file can be opened by its handle',
    group: 2,
    gain: 'every file of a file system of which one path is reachable, past all folders',
    attempt: 'open_by_handle_at(2) with a valid handle of a 0600 file of root',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/fhandle.c may_decode_fh(): CAP_DAC_READ_SEARCH in the initial user namespace or over the owner of the file system',
    references: [attack('T1611'), docker('5.4'), nist('3.5.5')],
  },
  {
    prepare: async (place) => {
      const path = place.file('secret');
      const handle = {bytes: Buffer.concat([struct([64, 4], [0, 4]), Buffer.alloc(64)]), back: true};
      const end = await place.scene.asHost(
        call('name_to_handle_at', [AT_FDCWD, path, handle, {room: 4}, 0], 'name_to_handle_at'),
      );
      place.keep('handle', Buffer.from(end.calls[0]?.texts[0] ?? '', 'latin1'));
    },
    reach: (place) => [open(place.folder, O.RDONLY + O.DIRECTORY)],
    calls: (place) => [
      open(place.folder, O.RDONLY + O.DIRECTORY),
      call(
        'open_by_handle_at',
        [{of: 'file'}, {bytes: place.kept<Uint8Array>('handle')}, O.RDONLY],
        'open_by_handle_at',
        {as: 'secret'},
      ),
      read(256, 'secret'),
    ],
  },
);
