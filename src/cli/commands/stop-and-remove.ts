import type {PodNode} from '../../node/node.ts';
import {findPod} from '../../node/pod-list.ts';
import {type CommandContext, type CommandModule, defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {printFailure, usageError} from '../failure.ts';
import {openNode} from '../open-node.ts';
import {removedSchema} from '../schemas.ts';
import {findTarget} from '../target.ts';

type Verb = 'stop' | 'stopp' | 'rm' | 'rmp';
const done: Readonly<Record<Verb, string>> = {stop: 'stopped', stopp: 'stopped', rm: 'removed', rmp: 'removed'};

function secondsOf(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d+$/.test(text))
    throw usageError(`--timeout ${text} is no number of seconds`, 'write a whole number, such as --timeout 10');
  return Number(text);
}

async function act(verb: Verb, node: PodNode, ref: string, timeout: number): Promise<string> {
  const {runtime} = node;
  const isPodOnly = verb === 'stopp' || verb === 'rmp';
  const pod = findPod(runtime.inventory, ref);
  if (pod || isPodOnly) {
    const running = node.pod(ref);
    if (verb === 'stop' || verb === 'stopp') await running.stop({gracePeriod: timeout});
    else await running.remove({gracePeriod: timeout});
    return `pod ${running.name}`;
  }
  const {containerId = ''} = findTarget(runtime.inventory, ref);
  await runtime.stopContainer({containerId, timeout});
  if (verb === 'rm') await runtime.removeContainer({containerId});
  return `container ${containerId.slice(0, 13)}`;
}

function command(verb: Verb, fallback: number, describe: string): CommandModule {
  return defineCommand({
    options: {
      timeout: {alias: 't', type: 'string', requiresArg: true, describe},
      all: {alias: 'a', type: 'boolean', describe: 'every pod of this node'},
    },
    schema: removedSchema,
    run: async ({flags, words}, context: CommandContext) => {
      const timeout = secondsOf(flags.timeout, fallback);
      if (words.length === 0 && !flags.all)
        throw usageError('no pod was named', `name one (\`subroot pods\` lists them), or \`subroot ${verb} --all\``);
      const node = await openNode(context);
      const results: string[] = [];
      let exitCode: number = exitCodes.ok;
      try {
        const refs = flags.all ? (await node.pods()).map(({id}) => id) : words;
        for (const ref of refs) {
          try {
            const what = await act(verb, node, ref, timeout);
            results.push(what);
            if (context.format === 'table') context.output.print(`${what} ${done[verb]}`);
          } catch (error) {
            exitCode = await printFailure(error, {format: context.format, debug: context.debug});
          }
        }
      } finally {
        await node.close();
      }
      if (context.format !== 'table') await context.output.emit({[done[verb]]: results}, () => '');
      return exitCode;
    },
  });
}

/** `subroot stop`: the containers of a pod get their stop signal, and SIGKILL after the grace. */
export const stopCommand = command('stop', 10, 'seconds between the stop signal and SIGKILL (10)');
/** `subroot stopp`: the same, for pods only. */
export const stopPodCommand = command('stopp', 10, 'seconds between the stop signal and SIGKILL (10)');
/** `subroot rm`: a pod, or one container, and every trace of it. */
export const removeCommand = command('rm', 0, 'seconds of grace before it is killed (0)');
/** `subroot rmp`: the same, for pods only. */
export const removePodCommand = command('rmp', 0, 'seconds of grace before it is killed (0)');
