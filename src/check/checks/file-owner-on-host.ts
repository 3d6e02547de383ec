import {invariant, kubernetes, nist} from '../define.ts';
import {O, open} from '../operation.ts';

/** What a pod leaves on the host's disks. */
export const fileOwnerOnHost = invariant(
  {
    id: 'file-owner-on-host',
    title: 'a file that the pod makes belongs to its range on the host',
    group: 1,
    gain: "files on the host that are root's, and are trusted as such",
    attempt:
      'open(2) with O_CREAT in a plain folder of the host, as root and as uid 1000 of the pod; stat(2) on the host',
    expected: {'control-default': '0:0 and 1000:1000', 'treatment-default': 'BASE:BASE and BASE+1000:BASE+1000'},
    rule: 'include/linux/fs.h inode_fsuid_set(): the owner is the kernel id of the process',
    references: [nist('3.5.5'), kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const place = scene.place('file-owner-on-host', 'treatment-default');
    try {
      const room = place.dir('room', {mode: 0o1777});
      const evidence: Record<string, string> = {};
      const block = scene.blockOf(scene.pod);
      for (const uid of [0, 1000]) {
        const who = {...scene.whoOf('treatment-default'), ...(uid === 0 ? {} : {uid})};
        const end = await (await scene.actor(who)).run([open(`${room}/by-${uid}`, O.WRONLY + O.CREAT)]);
        if (end.calls[0]?.errno !== undefined) throw new Error(`the pod could not make a file: ${end.calls[0].errno}`);
        const {uid: owner, gid} = place.stat(`room/by-${uid}`);
        evidence[`made by uid ${uid}`] = `${owner}:${gid}`;
        if (owner < 65_536 || gid < 65_536 || owner !== (block?.uid ?? -1) + uid || gid !== (block?.gid ?? -1) + uid)
          return {
            outcome: 'broken',
            reason: `a file made by uid ${uid} of the pod belongs to ${owner}:${gid} on the host`,
            evidence,
          };
      }
      return {
        outcome: 'works',
        reason: `on the host they belong to ${Object.values(evidence).join(' and ')}`,
        evidence,
      };
    } finally {
      await place.clear();
    }
  },
);
