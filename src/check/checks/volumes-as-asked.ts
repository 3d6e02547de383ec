import {statSync} from 'node:fs';
import {join} from 'node:path';
import {cve, invariant, kubernetes} from '../define.ts';
import {mountPoints} from '../scene-pods.ts';

/** Ids of a volume are shifted, or not: as asked. */
export const volumesAsAsked = invariant(
  {
    id: 'volumes-as-asked',
    title: 'a volume has shifted ids exactly when that was asked for',
    group: 1,
    gain: "shifted where plain was asked for, a pod's root writes as the host's root; plain where shifted was asked for, it cannot write at all",
    attempt:
      'a file made by a program run in the pod, in a plain mount and in one with shifted ids; stat(2) on the host',
    expected: {'treatment-default': 'plain: BASE; shifted: 0'},
    rule: 'fs/attr.c, include/linux/fs.h mapped_fsuid(): through an idmapped mount the id on disk is what the map of the mount makes of the kernel id',
    references: [kubernetes('KEP-127'), cve('CVE-2021-25741')],
    abilities: ['exec', 'mounts', 'outside'],
  },
  async (scene) => {
    const block = scene.blockOf(scene.pod);
    const evidence: Record<string, string> = {};
    const shifted = scene.target.has('idmapped-mounts') ? (['idmapped'] as const) : [];
    for (const name of ['plain', ...shifted] as const) {
      const {exitCode, stderr} = await scene.pod.exec(['touch', `${mountPoints[name]}/room/made`]);
      if (exitCode !== 0)
        return {
          outcome: 'broken',
          reason: `the pod cannot make a file in its ${name} volume: ${stderr.trim().slice(0, 200)}`,
          evidence,
        };
      const {uid, gid} = statSync(join(scene.run.path, name, 'room/made'));
      evidence[`${name}, on disk`] = `${uid}:${gid}`;
      const expected = name === 'plain' ? block?.uid : 0;
      if (uid !== expected)
        return {
          outcome: 'broken',
          reason: `a file that the pod's root made in its ${name} volume belongs to uid ${uid} on disk, not ${expected}`,
          evidence,
        };
    }
    const reason = Object.entries(evidence)
      .map(([name, ids]) => `${name}: ${ids}`)
      .join('; ');
    return {outcome: 'works', reason, evidence};
  },
);
