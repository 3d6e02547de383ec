import {attack, cis, cve, nist, tried} from '../define.ts';
import {chmod, run} from '../operation.ts';
import {catProgram, effectiveUidOf} from '../programs.ts';

/** A set-user-ID program left where a user of the host finds it. */
export const suidRootDrop = tried(
  'U',
  {
    id: 'suid-root-drop',
    title: 'a set-user-ID program of the pod makes nobody root of the host',
    group: 2,
    gain: 'root for any user of the node who works with the attacker',
    attempt: 'copy a program into a shared folder, chmod(2) 6755; a user of the host runs it',
    expected: {
      'control-all': 'that user becomes uid 0',
      'control-default': 'that user becomes uid 0',
      'treatment-all': "that user becomes the pod's own id, without capabilities",
      'treatment-default': "that user becomes the pod's own id, without capabilities",
    },
    rule: "fs/exec.c bprm_fill_uid(): the new uid is the inode's owner, who is the pod's kernel id",
    references: [cve('CVE-2021-30465'), attack('T1548.001'), cis('5.2.11'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.dir('shared', {mode: 0o1777});
    },
    calls: (place) => [
      run('/bin/cp', catProgram(), place.path('shared/tool')),
      chmod(place.path('shared/tool'), 0o6755),
    ],
    effect: async (place, seen) => {
      if (!seen.through || !place.exists('shared/tool')) return false;
      const user = await place.actor({capabilities: 'none', uid: 65_534});
      const end = await user.run([run(place.path('shared/tool'), '/proc/self/status')]);
      return effectiveUidOf(end.calls[0]?.texts[0]) === 0;
    },
  },
);
