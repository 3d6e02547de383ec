import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {printable, SubrootError, subrootError} from '../../../native-free/errors.ts';
import {type Pod, parseManifests} from '../../../sim/index.ts';
import type {Evidence} from '../../node/evidence.ts';
import {createNode, type PodNode} from '../../node/node.ts';
import type {NodeOptions} from '../../node/node-options.ts';
import {planPod, resolvePod} from '../../node/pod-plan.ts';
import type {RunningPod} from '../../node/running-pod.ts';
import {type CommandContext, defineCommand} from '../command.ts';
import {drawEvidence} from '../draw-evidence.ts';
import {drawPlan} from '../draw-plan.ts';
import {exitCodes} from '../exit-codes.ts';
import {usageError} from '../failure.ts';
import type {Output} from '../output.ts';
import type {Paint} from '../paint.ts';
import {runSchema} from '../schemas.ts';
import {startFailure} from '../start-failure.ts';

/** `subroot run`: the pods of a manifest, each with the proof that its root is nobody outside. */
export const runCommand = defineCommand({
  options: {
    image: {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: "NAME=host (this machine's userland) or NAME=/a/root/folder; may be repeated",
    },
    name: {type: 'string', requiresArg: true, describe: 'another name for the pod'},
    kubernetes: {type: 'string', requiresArg: true, describe: 'rules of that version, 1.25 to 1.37 (1.37)'},
    'ids-per-pod': {type: 'string', requiresArg: true, describe: 'ids of each pod, a multiple of 65536 (65536)'},
    'dry-run': {type: 'boolean', describe: 'print the whole plan (ids, maps, steps, mounts) and do nothing'},
    wait: {alias: 'w', type: 'boolean', describe: 'wait until the containers end, and end as they do'},
    rm: {type: 'boolean', describe: 'remove the pod at the end (with --wait)'},
  },
  schema: runSchema,
  run: async ({flags, words}, context) => {
    const [file = ''] = words;
    if (flags.rm && !flags.wait)
      throw usageError(
        '--rm removes the pod at its end, and without --wait nobody waits for that',
        'add --wait, or remove it later with `subroot rm`',
      );
    const pods = readPods(file, flags.name, context.output);
    const options: NodeOptions = {
      root: context.root,
      mode: context.mode,
      lifetime: 'detached',
      images: parseImages(flags.image ?? []),
      ...(flags.kubernetes === undefined ? {} : {kubernetes: flags.kubernetes}),
      ...(flags['ids-per-pod'] === undefined ? {} : {idsPerPod: parseCount(flags['ids-per-pod'])}),
    };
    if (flags['dry-run']) {
      const plans = await Promise.all(pods.map((pod) => planPod(pod, options)));
      await context.output.emit({plans}, () => plans.map((plan) => drawPlan(plan, context.output)).join('\n\n'));
      return exitCodes.ok;
    }
    // All pods are checked before the first is started.
    for (const pod of pods) resolvePod(pod, options);
    const node = await createNode(options);
    try {
      return await runAll(node, pods, {wait: flags.wait === true, remove: flags.rm === true}, context);
    } finally {
      await node.close();
    }
  },
});

function readPods(file: string, name: string | undefined, output: Output): Pod[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw subrootError(
      'SUBROOT_MANIFEST_UNREADABLE',
      {file, errno: (error as NodeJS.ErrnoException).code ?? 'EIO'},
      error,
    );
  }
  const {pods, warnings} = parseManifests(text, {file: file === '-' ? 'standard input' : file});
  for (const warning of warnings)
    output.note(`subroot: warning: ${printable(`${warning.file}:${warning.line}:${warning.column}: ${warning.text}`)}`);
  if (pods.length === 0) throw subrootError('SUBROOT_MANIFEST_EMPTY', {file});
  if (name === undefined) return [...pods];
  const [pod, other] = pods;
  if (!pod || other)
    throw usageError(
      `--name names one pod, and ${file} has ${pods.length}`,
      'leave --name out, or give a file with one pod',
    );
  return [{...pod, metadata: {...pod.metadata, name}}];
}

function parseImages(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals < 1 || equals === word.length - 1)
        throw usageError(
          `--image ${word} is no NAME=SOURCE`,
          'write --image debian=host, or --image debian=/path/of/a/root/folder',
        );
      const source = word.slice(equals + 1);
      return [word.slice(0, equals), source === 'host' ? source : resolve(source)];
    }),
  );
}

function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw usageError(`--ids-per-pod ${text} is no number`, 'write a multiple of 65536');
  return Number(text);
}

interface Started {
  readonly pod: RunningPod;
  readonly evidence: Evidence;
}

async function runAll(
  node: PodNode,
  pods: readonly Pod[],
  ends: {readonly wait: boolean; readonly remove: boolean},
  context: CommandContext,
): Promise<number> {
  const started: RunningPod[] = [];
  const cancel = new AbortController();
  const stop = () => cancel.abort(new Error('a signal ended the command'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  try {
    const results: Started[] = [];
    for (const pod of pods) {
      const running = await node.runPod(pod, {signal: cancel.signal});
      started.push(running);
      const evidence = await running.evidence();
      if (!ends.wait) await requireStillRunning(running, pod);
      results.push({pod: running, evidence});
      if (context.format === 'table') context.output.print(drawPod(node, running, evidence, pod, context));
    }
    if (context.format !== 'table')
      await context.output.emit({pods: results.map(({pod, evidence}) => describe(node, pod, evidence))}, () => '');
    if (!ends.wait) return results.every(({evidence}) => evidence.isolated) ? exitCodes.ok : exitCodes.found;
    const exitCode = await waitFor(started, cancel.signal);
    if (ends.remove) for (const pod of started) await pod.remove();
    return exitCode;
  } catch (error) {
    // Nothing half-made stays: what this command started goes with it.
    for (const pod of started) await pod.remove();
    if (cancel.signal.aborted) return 130;
    if (error instanceof SubrootError && error.code.startsWith('SUBROOT_COMMAND_'))
      return await startFailure(error, context.output);
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, stop);
  }
}

async function waitFor(pods: readonly RunningPod[], signal: AbortSignal): Promise<number> {
  const codes = await Promise.all(pods.map((pod) => pod.wait({signal})));
  for (const pod of pods) {
    for (const container of await pod.containers()) {
      for (const {stream, text, partial} of await pod.logs({container: container.id}))
        (stream === 'stderr' ? process.stderr : process.stdout).write(`${text}${partial ? '' : '\n'}`);
    }
  }
  return codes.find((code) => code !== 0) ?? 0;
}

async function requireStillRunning(running: RunningPod, pod: Pod): Promise<void> {
  const ended = (await running.containers()).find(({state}) => state === 'EXITED');
  if (!ended) return;
  const spec = pod.spec.containers.find(({name}) => name === ended.name);
  const output = (await running.logs({container: ended.id}))
    .slice(-5)
    .map(({text}) => text)
    .join(' / ');
  throw subrootError('SUBROOT_CONTAINER_EXITED', {
    container: ended.name,
    pod: running.name,
    exitCode: ended.exitCode,
    command: [...(spec?.command ?? []), ...(spec?.args ?? [])].join(' '),
    output: output || 'nothing',
  });
}

function describe(node: PodNode, pod: RunningPod, evidence: Evidence) {
  const {id, name, namespace, uid, durationMs, block} = pod;
  return {
    id,
    name,
    namespace,
    uid,
    mode: node.mode,
    reason: node.setup.reason,
    readyMs: Math.round(durationMs * 10) / 10,
    block: block ?? null,
    evidence,
  };
}

function drawPod(node: PodNode, pod: RunningPod, evidence: Evidence, spec: Pod, {output}: CommandContext): string {
  const {paint} = output;
  const name = pod.namespace === 'default' ? pod.name : `${pod.namespace}/${pod.name}`;
  const verdict = verdictOf(node, evidence, spec, paint);
  return [
    `${paint.strong(`pod ${printable(name)}`)}  ${pod.id.slice(0, 13)}  containers: ${spec.spec.containers.map((container) => printable(container.name)).join(', ')}`,
    `mode ${paint.strong(node.mode)}: ${printable(node.setup.reason)}`,
    '',
    drawEvidence(evidence, pod.block, paint),
    '',
    `${verdict} ready in ${pod.durationMs.toFixed(1)} ms.`,
    paint.dim(`next: subroot exec -it ${name} sh   subroot logs ${name}   subroot rm ${name}`),
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
