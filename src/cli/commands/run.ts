import {resolve} from 'node:path';
import {type BackOffLimits, kubeletBackOff, type Pod, type PullPolicy} from '../../../sim/index.ts';
import {createNode, type PodNode} from '../../node/node.ts';
import type {NodeOptions} from '../../node/node-options.ts';
import {planPod, resolvePod} from '../../node/pod-plan.ts';
import {type CommandContext, defineCommand} from '../command.ts';
import {drawPlan} from '../draw-plan.ts';
import {drawPod} from '../draw-pod.ts';
import {endAsProgram, exitCodeOfProgram} from '../end-as-program.ts';
import {EndedBySignal, withEndingSignals} from '../ending-signals.ts';
import {exitCodes} from '../exit-codes.ts';
import {printFailure, usageError} from '../failure.ts';
import {durations, pairs, wholeNumber} from '../flag-words.ts';
import {runSchema} from '../pod-schemas.ts';
import {readManifest} from '../read-manifest.ts';
import {registryFlags, registryOptions} from '../registry-flags.ts';
import {shownName} from '../shown-name.ts';
import {removePods, type Started, startPods} from '../start-pods.ts';
import {type ContainerEnd, waitForPods} from '../wait-pods.ts';

/** What is done with pods once they run. */
interface Ends {
  readonly wait: boolean;
  readonly remove: boolean;
  /** The waits between restarts of what is waited for. */
  readonly backOff: Partial<BackOffLimits>;
}

/** `subroot run`: the pods of a manifest, each with the proof that its root is nobody outside. */
export const runCommand = defineCommand({
  options: {
    image: {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: "NAME=host (this machine's userland) or NAME=/a/root/folder; may be repeated",
    },
    pull: {
      type: 'string',
      choices: ['Always', 'IfNotPresent', 'Never'],
      requiresArg: true,
      describe: 'when images are pulled, instead of what each imagePullPolicy says',
    },
    ...registryFlags,
    name: {type: 'string', requiresArg: true, describe: 'another name for the pod'},
    kubernetes: {type: 'string', requiresArg: true, describe: 'rules of that version, 1.25 to 1.37 (1.37)'},
    'ids-per-pod': {type: 'string', requiresArg: true, describe: 'ids of each pod, a multiple of 65536 (65536)'},
    'seccomp-default': {
      type: 'boolean',
      describe: 'RuntimeDefault for containers without a seccompProfile (Unconfined)',
    },
    'seccomp-root': {
      type: 'string',
      requiresArg: true,
      describe: 'folder of Localhost seccomp profiles (ROOT/seccomp)',
    },
    'allowed-unsafe-sysctls': {
      type: 'string',
      requiresArg: true,
      describe: 'further sysctls that pods may set: names or a beginning and *, with commas',
    },
    'volume-ids': {
      type: 'string',
      choices: ['idmap', 'chown', 'nobody'],
      requiresArg: true,
      describe: 'owners of hostPath files in the pod: shifted by the mount (idmap), given to it for good, or nobody',
    },
    'require-limits': {
      type: 'boolean',
      describe: 'refuse pods whose limits cannot be enforced here, instead of a warning',
    },
    'dry-run': {type: 'boolean', describe: 'print the whole plan (ids, maps, steps, mounts) and do nothing'},
    wait: {
      alias: 'w',
      type: 'boolean',
      describe: 'look after the pods (probes, restarts), pass on what they write, and end as they do',
    },
    backoff: {
      type: 'string',
      requiresArg: true,
      describe: 'first and longest wait before a container is started again, with --wait (10s,5m)',
    },
    rm: {type: 'boolean', describe: 'remove the pod at the end (with --wait)'},
  },
  schema: runSchema,
  run: async ({flags, words}, context) => {
    const ends: Ends = {
      wait: flags.wait === true,
      remove: flags.rm === true,
      backOff: backOffOf(flags.backoff),
    };
    if (ends.remove && !ends.wait)
      throw usageError(
        '--rm removes the pod at its end, and without --wait nobody waits for that',
        'add --wait, or remove it later with `subroot rm`',
      );
    if (flags.backoff !== undefined && !ends.wait)
      throw usageError(
        '--backoff is between restarts, and without --wait nothing is started again',
        'add --wait, or leave --backoff out',
      );
    const idsPerPod = wholeNumber('--ids-per-pod', flags['ids-per-pod'], 'ids', 65_536);
    const given: NodeOptions = {
      root: context.root,
      mode: context.mode,
      imageStore: context.imageStore,
      lifetime: 'detached',
      registries: registryOptions(flags),
      ...(flags.pull === undefined ? {} : {pull: flags.pull as PullPolicy}),
      images: parseImages(flags.image),
      ...(flags.kubernetes === undefined ? {} : {kubernetes: flags.kubernetes}),
      ...(idsPerPod === undefined ? {} : {idsPerPod}),
      ...(flags['require-limits'] ? {requireLimits: true} : {}),
      ...(flags['seccomp-default'] ? {seccompDefault: true} : {}),
      ...(flags['seccomp-root'] === undefined ? {} : {seccompRoot: resolve(flags['seccomp-root'])}),
      ...(flags['allowed-unsafe-sysctls'] === undefined
        ? {}
        : {allowedUnsafeSysctls: flags['allowed-unsafe-sysctls'].split(',')}),
      ...(flags['volume-ids'] === undefined ? {} : {volumeIds: flags['volume-ids']}),
    };
    const body = async () => {
      const {pods, objects} = await readManifest(words[0] ?? '', flags.name, context.output);
      const options: NodeOptions = {...given, objects};
      // All pods are checked before the first is started.
      for (const pod of pods) resolvePod(pod, options);
      return flags['dry-run'] ? await showPlans(pods, options, context) : await runAll(pods, options, ends, context);
    };
    return await (ends.wait ? endAsProgram(context, body) : body());
  },
});

function backOffOf(word: string | undefined): Partial<BackOffLimits> {
  if (word === undefined) return {};
  const [firstMs, most] = durations('--backoff', word, '10s,5m');
  const mostMs = most ?? Math.max(firstMs, kubeletBackOff.mostMs);
  if (mostMs < firstMs)
    throw usageError(`--backoff ${word}: the longest wait is shorter than the first`, 'write --backoff 10s,5m');
  return {firstMs, mostMs};
}

function parseImages(words: readonly string[] | undefined): Record<string, string> {
  const images = pairs('--image', words, 'NAME=SOURCE');
  for (const [name, source] of Object.entries(images)) {
    if (source === '')
      throw usageError(
        `--image ${name}= has no source`,
        `write --image ${name}=host, or --image ${name}=/path/of/a/root/folder`,
      );
    images[name] = source === 'host' ? source : resolve(source);
  }
  return images;
}

async function showPlans(pods: readonly Pod[], options: NodeOptions, {output}: CommandContext): Promise<number> {
  const plans = await Promise.all(pods.map((pod) => planPod(pod, options)));
  await output.emit({plans}, () => plans.map((plan) => drawPlan(plan, output)).join('\n\n'));
  return exitCodes.ok;
}

async function runAll(
  pods: readonly Pod[],
  options: NodeOptions,
  ends: Ends,
  context: CommandContext,
): Promise<number> {
  return await withEndingSignals(async (ended) => {
    try {
      const node = await createNode(options);
      try {
        return await startAndWait(node, pods, ends, ended, context);
      } finally {
        await node.close();
      }
    } catch (error) {
      if (ended.aborted && ended.reason instanceof EndedBySignal) return ended.reason.exitCode;
      const exitCode = ends.wait ? undefined : exitCodeOfProgram(error);
      if (exitCode === undefined) throw error;
      await printFailure(error, context);
      return exitCode;
    }
  });
}

async function startAndWait(
  node: PodNode,
  specs: readonly Pod[],
  ends: Ends,
  ended: AbortSignal,
  context: CommandContext,
): Promise<number> {
  const {output, format} = context;
  const show = (started: Started) => {
    if (format !== 'table') return;
    const text = drawPod(node, started, output.paint, ends.wait);
    // With --wait standard output is the containers'.
    if (ends.wait) output.note(`${text}\n`);
    else output.print(`${text}${started.spec === specs.at(-1) ? '' : '\n\n'}`);
  };
  const started = await startPods(
    node,
    specs,
    {ended, onStarted: show, mustStay: !ends.wait, backOff: ends.wait ? ends.backOff : undefined},
    output,
  );
  if (!ends.wait) {
    if (format !== 'table') await output.emit({pods: started.map((each) => describe(node, each))}, () => '');
    return started.every(({evidence}) => evidence.isolated) ? exitCodes.ok : exitCodes.found;
  }
  const containers = await waitAndRemove(node, started, ends, ended, context);
  if (format !== 'table')
    await output.emit(
      {pods: started.map((each, index) => ({...describe(node, each), containers: containers[index] ?? []}))},
      () => '',
    );
  return containers.flat().find(({exitCode}) => exitCode !== 0)?.exitCode ?? exitCodes.ok;
}

async function waitAndRemove(
  node: PodNode,
  started: readonly Started[],
  ends: Ends,
  ended: AbortSignal,
  {output, format}: CommandContext,
): Promise<readonly (readonly ContainerEnd[])[]> {
  // JSON needs standard output for itself.
  const stdout = format === 'table' ? process.stdout : process.stderr;
  try {
    return await waitForPods(started, node.runtime.inventory, {ended, stdout});
  } finally {
    const names = started.map(({pod}) => shownName(pod)).join(' ');
    if (ends.remove) await removePods(started.map(({pod}) => pod));
    else if (ended.aborted) {
      const unattended = started.some(({pod}) => pod.supervision) ? ', and nobody looks after it' : '';
      output.note(`subroot: no longer waiting; still there${unattended}: \`subroot rm ${names}\` removes it`);
    }
  }
}

function describe(node: PodNode, {pod, evidence}: Started) {
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
