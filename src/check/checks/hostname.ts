import {kubernetes, usable} from '../define.ts';
import {insidePod} from '../inside.ts';
import {call} from '../operation.ts';

/** A name of its own. */
export const hostname = usable(
  {
    id: 'hostname',
    title: 'the pod can set its own name',
    group: 7,
    gain: 'nothing; without it: init systems in pods',
    attempt: "sethostname(2) to the name that it has, in the pod's UTS namespace",
    expected: {'treatment-all': 'works', 'treatment-default': 'EPERM, for want of CAP_SYS_ADMIN'},
    rule: "kernel/sys.c: ns_capable(uts_ns->user_ns, CAP_SYS_ADMIN), and the namespace is the pod's",
    references: [kubernetes('KEP-127')],
  },
  ['treatment-all'],
  {
    arms: ['control-all', 'treatment-all', 'treatment-default'],
    who: insidePod,
    prepare: async (place) => {
      const actor = await place.actor({...place.scene.whoOf(place.arm), ...insidePod(place)});
      const end = await actor.run([call('content', ['/proc/sys/kernel/hostname'], 'read')]);
      const name = end.calls[0]?.texts[0]?.trim();
      if (name === undefined) throw new Error(`its name cannot be read: ${end.calls[0]?.errno ?? end.how}`);
      place.keep('name', name);
    },
    calls: (place) => {
      const name = place.kept<string>('name');
      return [call('sethostname', [name, Buffer.byteLength(name)], 'sethostname')];
    },
  },
);
