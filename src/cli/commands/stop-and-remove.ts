import {printable} from '../../../native-free/errors.ts';
import {hasCode, type PodNode} from '../../node/node.ts';
import {listPods} from '../../node/pod-list.ts';
import type {Inventory} from '../../runtime/inventory.ts';
import {type CommandContext, type CommandModule, type CommandOptions, defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {printFailure, usageError} from '../failure.ts';
import {wholeNumber} from '../flag-words.ts';
import {shortId} from '../list-flags.ts';
import {openInventory} from '../open-inventory.ts';
import {openNode} from '../open-node.ts';
import type {Output} from '../output.ts';
import {endedSchema} from '../pod-schemas.ts';
import {shownName} from '../shown-name.ts';
import {findPodTarget, findTarget} from '../target.ts';

type Verb = 'stop' | 'stopp' | 'rm' | 'rmp';

/** A pod or a container that is to end. */
interface Subject {
  readonly kind: 'pod' | 'container';
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
}

interface Wish {
  readonly verb: Verb;
  /** Seconds; undefined: what the pod says. */
  readonly timeout: number | undefined;
  /** What is not there is no error. */
  readonly force: boolean;
}

/** How long something may take before a person at a terminal is told what we wait for, in milliseconds. */
const SILENCE_MS = 1000;

const subjectOf: Readonly<Record<Verb, (inventory: Inventory, ref: string) => Promise<Subject>>> = {
  stop: podOrContainer,
  stopp: podOnly,
  rm: podOrContainer,
  rmp: podOnly,
};
const doneWord: Readonly<Record<Verb, 'stopped' | 'removed'>> = {
  stop: 'stopped',
  stopp: 'stopped',
  rm: 'removed',
  rmp: 'removed',
};

async function podOnly(inventory: Inventory, ref: string): Promise<Subject> {
  const {id, name, namespace} = findPodTarget(inventory, ref);
  return {kind: 'pod', id, name, namespace};
}

async function podOrContainer(inventory: Inventory, ref: string): Promise<Subject> {
  const {pod, containerId} = findTarget(inventory, ref);
  const {id, name, namespace} = pod;
  if (containerId === undefined) return {kind: 'pod', id, name, namespace};
  const {status} = await inventory.containerStatus({containerId});
  return {kind: 'container', id: containerId, name: status.metadata.name, namespace};
}

function describe(subject: Subject): string {
  const {kind, id} = subject;
  return kind === 'pod' ? `pod ${shownName(subject)}` : `container ${shortId(id)}`;
}

async function end(node: PodNode, {kind, id}: Subject, {verb, timeout}: Wish, output: Output): Promise<void> {
  const isRemoval = doneWord[verb] === 'removed';
  const options = {
    ...(timeout === undefined ? {} : {gracePeriod: timeout}),
    onHookFailed: (container: string, why: string) =>
      output.note(`subroot: the preStop hook of container ${printable(`${container} failed: ${why}`)}`),
  };
  if (kind === 'pod') {
    const pod = node.pod(id);
    await (isRemoval ? pod.remove(options) : pod.stop(options));
    return;
  }
  await node.stopContainer(id, options);
  if (isRemoval) await node.runtime.removeContainer({containerId: id});
}

/** Each subject once, however often it was named; what cannot be found is printed, and the exit code says so. */
async function findSubjects(refs: readonly string[], {verb, force}: Wish, context: CommandContext) {
  const inventory = openInventory(context.root);
  const subjects = new Map<string, Subject>();
  let exitCode: number = exitCodes.ok;
  for (const ref of refs) {
    try {
      const subject = await subjectOf[verb](inventory, ref);
      subjects.set(subject.id, subject);
    } catch (error) {
      if (force && hasCode(error, 'SUBROOT_NOT_FOUND')) continue;
      exitCode = await printFailure(error, {format: context.format, debug: context.debug});
    }
  }
  return {subjects: [...subjects.values()], exitCode};
}

/** Ends all at once: each waits for its own grace. Answers those that are done, in the order given. */
async function endAll(subjects: readonly Subject[], wish: Wish, context: CommandContext) {
  const {output, format, debug} = context;
  let exitCode: number = exitCodes.ok;
  const node = await openNode(context);
  try {
    const done = await Promise.all(
      subjects.map(async (subject) => {
        const what = describe(subject);
        const patience = setTimeout(
          () =>
            output.progress(
              `waiting ${wish.timeout === undefined ? '' : `up to ${wish.timeout} s `}for ${what} to end by itself`,
            ),
          SILENCE_MS,
        );
        try {
          await end(node, subject, wish, output);
          if (format === 'table') output.print(`${what} ${doneWord[wish.verb]}`);
          return [subject];
        } catch (error) {
          exitCode = await printFailure(error, {format, debug});
          return [];
        } finally {
          clearTimeout(patience);
        }
      }),
    );
    return {done: done.flat(), exitCode};
  } finally {
    await node.close();
  }
}

async function allPods(context: CommandContext): Promise<string[]> {
  return (await listPods(openInventory(context.root))).map(({id}) => id);
}

function command(verb: Verb, fallback: number | undefined, describeTimeout: string): CommandModule {
  const isRemoval = doneWord[verb] === 'removed';
  const force: CommandOptions = isRemoval
    ? {
        force: {
          alias: 'f',
          type: 'boolean',
          describe: 'what is not there is no error (what runs is killed in any case)',
        },
      }
    : {};
  return defineCommand({
    options: {
      timeout: {alias: 't', type: 'string', requiresArg: true, describe: describeTimeout},
      all: {alias: 'a', type: 'boolean', describe: 'every pod of this node'},
      ...force,
    },
    schema: endedSchema,
    run: async ({flags, words}, context) => {
      const timeout = wholeNumber('--timeout', flags.timeout, 'seconds', 10) ?? fallback;
      const wish: Wish = {verb, timeout, force: (flags as {force?: boolean}).force === true};
      const noun = subjectOf[verb] === podOnly ? 'pod' : 'pod or container';
      if (words.length === 0 && !flags.all)
        throw usageError(
          `no ${noun} was named`,
          `name one (\`subroot pods\` lists them), or \`subroot ${verb} --all\``,
        );
      if (words.length > 0 && flags.all)
        throw usageError(`--all is every pod, and "${words[0]}" is one`, 'leave out either --all or the names');
      const found = await findSubjects(flags.all ? await allPods(context) : words, wish, context);
      const ended =
        found.subjects.length === 0 ? {done: [], exitCode: exitCodes.ok} : await endAll(found.subjects, wish, context);
      if (context.format !== 'table') await context.output.emit({[doneWord[verb]]: ended.done}, () => '');
      else if (flags.all && found.subjects.length === 0) context.output.print('no pods');
      return ended.exitCode || found.exitCode;
    },
  });
}

/** `subroot stop`: preStop hooks, then the containers of a pod get their stop signal, and SIGKILL after the grace. */
export const stopCommand = command('stop', undefined, 'seconds of grace before SIGKILL (what the pod says)');
/** `subroot stopp`: the same, for pods only. */
export const stopPodCommand = command('stopp', undefined, 'seconds of grace before SIGKILL (what the pod says)');
/** `subroot rm`: a pod, or one container, and every trace of it. */
export const removeCommand = command('rm', 0, 'seconds of grace before it is killed (0)');
/** `subroot rmp`: the same, for pods only. */
export const removePodCommand = command('rmp', 0, 'seconds of grace before it is killed (0)');
