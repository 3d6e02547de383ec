import {printable} from '../../native-free/errors.ts';
import type {EventHandler, Pod} from '../../sim/index.ts';
import type {Output} from './output.ts';
import {shownName} from './shown-name.ts';

const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;

/** Fields of a pod that ask for somebody who looks after it as long as it runs, by their path below `spec`. */
export function fieldsOfCare({spec}: Pod): readonly string[] {
  const fields: string[] = [];
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [i, container] of spec[list].entries()) {
      const names = probes.filter((name) => container[name] !== undefined);
      if (container.restartPolicy !== undefined && container.restartPolicy !== 'Never')
        fields.push(`${list}[${i}].restartPolicy`);
      fields.push(...names.map((name) => `${list}[${i}].${name}`));
    }
  }
  if (spec.restartPolicy === 'OnFailure') fields.push('restartPolicy');
  if (spec.activeDeadlineSeconds !== undefined) fields.push('activeDeadlineSeconds');
  return fields;
}

/** Whether a pod that is waited for may need somebody. */
export function needsCare(pod: Pod): boolean {
  return pod.spec.restartPolicy !== 'Never' || fieldsOfCare(pod).length > 0;
}

/** Says what will not be done for a pod that is left alone. */
export function tellUnattended(pod: Pod, output: Output): void {
  for (const volume of pod.spec.volumes) {
    if (volume.kind !== 'emptyDir' || volume.medium !== '' || volume.sizeLimit === undefined) continue;
    const what = `nothing holds emptyDir ${volume.name} on disk to its sizeLimit ${volume.sizeLimit} without --wait`;
    output.note(
      printable(`subroot: warning: ${shownName(pod.metadata)}: ${what}; with medium Memory that is its size`),
    );
  }
  const fields = fieldsOfCare(pod);
  if (fields.length === 0) return;
  const shown = fields.slice(0, 5).join(', ') + (fields.length > 5 ? ', …' : '');
  output.note(
    `subroot: warning: ${shownName(pod.metadata)}: nobody looks after a pod without --wait: nothing is probed or started again (${shown})`,
  );
}

/** Notes what goes wrong in a pod's life, and each thing once until another comes. */
export function tellEvents(pod: Pod, output: Output): EventHandler {
  const last = new Map<string, string>();
  return ({type, reason, container, message}) => {
    if (type === 'Normal' && reason !== 'Killing' && reason !== 'DeadlineExceeded') return;
    const where = `${shownName(pod.metadata)}${container === undefined ? '' : `/${container}`}`;
    const key = `${where} ${reason}`;
    if (reason !== 'BackOff' && last.get(key) === message) return;
    last.set(key, message);
    output.note(`subroot: ${printable(`${where}: ${message}`)}`);
  };
}
