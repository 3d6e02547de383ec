import {printable} from '../../native-free/errors.ts';
import type {Step} from '../host/step.ts';
import type {PodPlan} from '../node/pod-plan.ts';
import type {Output} from './output.ts';

/** What a step is in the words of the man pages, for people who read the plan. */
function explain(step: Step): string {
  const [name, ...words] = step;
  const text = words
    .map((word) => (word === '' ? '""' : word.includes('\n') || word.length > 200 ? `(${word.length} bytes)` : word))
    .join(' ');
  return `${name} ${text}`.trimEnd();
}

const idWords = {
  shifted: 'ids shifted by the mount',
  given: "given to the pod's ids",
  nobody: 'of nobody in the pod',
  node: 'ids as on the node',
};

function volumeLines({name, kind, path, ids, memory, files}: PodPlan['volumes'][number]): string[] {
  const size = memory && `tmpfs${memory.sizeBytes === null ? '' : ` of ${memory.sizeBytes} bytes`}, `;
  return [
    printable(`  ${name}  ${kind} ${path}  (${size ?? ''}${idWords[ids]})`),
    ...(files ?? []).map((file) => printable(`    ${file.mode} ${file.path}  ${file.bytes} bytes`)),
  ];
}

/** The whole plan of a pod as text: ids, maps, what is run, every step and mount. */
export function drawPlan(plan: PodPlan, {paint}: Output): string {
  const lines = [
    paint.strong(`pod ${printable(plan.pod)}  (dry run: nothing was made)`),
    `mode ${plan.mode}: ${printable(plan.reason)}`,
    '',
  ];
  if (plan.userNamespace) {
    lines.push(paint.strong('user namespace'));
    lines.push(
      `  made as uid ${plan.userNamespace.owner.uid} gid ${plan.userNamespace.owner.gid} (the block's first ids; the real block is picked at random when the pod starts)`,
    );
    lines.push(
      `  write /proc/PID/uid_map  "${plan.userNamespace.uidMap}"`,
      `  write /proc/PID/gid_map  "${plan.userNamespace.gidMap}"`,
    );
  } else lines.push('shares the user namespace of the node');
  for (const argv of plan.tools) lines.push(`  run ${argv.join(' ')}`);
  if (plan.volumes.length > 0) lines.push('', paint.strong('volumes'), ...plan.volumes.flatMap(volumeLines));
  for (const part of plan.parts) {
    lines.push('', paint.strong(part.what), `  run ${part.argv.join(' ')}`);
    part.steps.forEach((step, index) => {
      lines.push(printable(`  ${String(index).padStart(3)}  ${explain(step)}`));
    });
  }
  return lines.join('\n');
}
