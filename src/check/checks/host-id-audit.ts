import {invariant, kubernetes} from '../define.ts';
import {run} from '../operation.ts';

const folders = ['/dev', '/etc', '/home', '/opt', '/root', '/srv', '/var'];

/** Ids are nobody's only if no file has them. */
export const hostIdAudit = invariant(
  {
    id: 'host-id-audit',
    title: "no file of the host belongs to the pod's ids already",
    group: 1,
    gain: 'files that an earlier pod with these ids left, or that a user of the host owns',
    attempt:
      'find(1) over the folders of the host where files of users are, four levels deep, for owners and groups in the range',
    expected: {'treatment-default': 'none'},
    rule: 'owners on disk are numbers: a block that is given out again finds what was left',
    references: [kubernetes('KEP-127')],
    needs: ['root'],
    abilities: ['outside'],
  },
  async (scene) => {
    const block = scene.blockOf(scene.pod);
    if (!block || block.size > 16_777_216) return {outcome: 'broken', reason: 'the pod has ids of the host'};
    const within = (kind: string, first: number) => [`-${kind}`, `+${first - 1}`, `-${kind}`, `-${first + block.size}`];
    const operation = run(
      '/usr/bin/find',
      ...folders,
      '-xdev',
      ...['-maxdepth', '4'],
      ...['-path', scene.run.path, '-prune', '-o'],
      ...['(', ...within('uid', block.uid), '-o', ...within('gid', block.gid), ')'],
      ...['-printf', '%U:%G %p\\n'],
    );
    const actor = await scene.actor({capabilities: 'all'});
    const end = await actor.run([operation], 10_000);
    const [seen] = end.calls;
    if (end.how === 'timeout')
      return {outcome: 'inconclusive', reason: 'the folders are too large to be looked through within 10 s'};
    const found = (seen?.texts[0] ?? '').split('\n').filter((line) => /^\d+:\d+ \//.test(line));
    const evidence = {
      range: `${block.uid} to ${block.uid + block.size - 1}`,
      folders: folders.join(' '),
      found: found.join(', ') || '(none)',
    };
    if (found.length > 0)
      return {outcome: 'broken', reason: `files of the host belong to the pod's ids: ${found[0]}`, evidence};
    return {
      outcome: 'works',
      reason: `nothing four levels deep in ${folders.join(', ')} has an id of the pod`,
      evidence,
    };
  },
);
