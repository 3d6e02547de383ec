import {printable} from '../../native-free/errors.ts';
import type {Pod} from '../../sim/index.ts';
import type {Evidence} from '../node/evidence.ts';
import type {PodNode} from '../node/node.ts';
import {drawEvidence} from './draw-evidence.ts';
import {shortId} from './list-flags.ts';
import type {Paint} from './paint.ts';
import {shownName} from './shown-name.ts';
import type {Started} from './start-pods.ts';

/** A pod that was started: what it is, the evidence, one sentence on it, and what to do next. */
export function drawPod(node: PodNode, {pod, evidence, spec}: Started, paint: Paint, willWait: boolean): string {
  const name = shownName(pod);
  const containers = spec.spec.containers.map((container) => printable(container.name)).join(', ');
  return [
    `${paint.strong(`pod ${name}`)}  ${shortId(pod.id)}  containers: ${containers}`,
    `mode ${paint.strong(node.mode)}: ${printable(node.setup.reason)}`,
    '',
    drawEvidence(evidence, pod.block, paint),
    '',
    `${verdictOf(node, evidence, spec, paint)} ready in ${pod.durationMs.toFixed(1)} ms.`,
    ...(willWait ? [] : [paint.dim(`next: subroot exec -it ${name} sh   subroot logs ${name}   subroot rm ${name}`)]),
  ].join('\n');
}

/** One sentence on what was seen; a reduced result never reads like a full one. */
function verdictOf(node: PodNode, evidence: Evidence, spec: Pod, paint: Paint): string {
  const {hostUid} = evidence.process;
  if (spec.spec.hostUsers !== false)
    return paint.warn('this pod shares the user namespace of the node (hostUsers is not false): its root is root.');
  if (!evidence.isolated) return paint.bad('root in the pod is NOT isolated: see the lines marked ✘.');
  if (node.mode === 'single')
    return paint.warn(
      `reduced: root in the pod is you (uid ${hostUid}) and every pod is; it has your own files to lose, and no other id.`,
    );
  return paint.good(`root in the pod is uid ${hostUid} outside: nobody.`);
}
