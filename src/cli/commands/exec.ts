import {type CommandContext, defineCommand} from '../command.ts';
import {endAsProgram} from '../end-as-program.ts';
import {usageError} from '../failure.ts';
import {pairs, seconds} from '../flag-words.ts';
import {openInventory} from '../open-inventory.ts';
import {runJoined} from '../run-joined.ts';
import {containerOf, findTarget} from '../target.ts';

/** `subroot exec`: a program in a running container, with the caller's own streams or a terminal; ends as the program does. */
export const execCommand = defineCommand({
  options: {
    interactive: {alias: 'i', type: 'boolean', describe: 'pass standard input on'},
    tty: {alias: 't', type: 'boolean', describe: 'a terminal for the program'},
    sync: {alias: 's', type: 'boolean', describe: 'without input and terminal, as it is without -i and -t'},
    container: {alias: 'c', type: 'string', requiresArg: true, describe: 'the container; the first by default'},
    env: {
      alias: 'e',
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'NAME=VALUE for the program; may be repeated',
    },
    cwd: {type: 'string', requiresArg: true, describe: 'folder in the container to start in'},
    timeout: {type: 'string', requiresArg: true, describe: 'seconds after which it is killed; exit code 124'},
  },
  run: async ({flags, words, rest}, context) => {
    const [ref = ''] = words;
    requireProgram(ref, rest, flags.tty === true);
    if (flags.sync && (flags.interactive || flags.tty))
      throw usageError('--sync is without input and terminal', 'leave out either --sync, or -i and -t');
    const timeout = seconds('--timeout', flags.timeout, 30) ?? 0;
    const env = pairs('--env', flags.env, 'NAME=VALUE');
    const isTerminal = flags.tty === true && process.stdin.isTTY === true;
    if (flags.tty && !isTerminal)
      context.output.note('subroot: standard input is no terminal, so the program gets none either');
    return await endAsProgram(context, async () => {
      const prepared = await prepare(ref, rest, flags, {isTerminal, env}, context);
      try {
        const outcome = await runJoined(prepared.argv, {
          stdin: flags.interactive === true || isTerminal,
          timeout,
          program: rest[0] ?? '',
        });
        const failure = await prepared.failure();
        if (failure) throw failure;
        return outcome;
      } finally {
        prepared.discard();
      }
    });
  },
});

function requireProgram(ref: string, rest: readonly string[], tty: boolean): void {
  const [program] = rest;
  const example = `subroot exec ${tty ? '-it ' : ''}${ref} sh`;
  if (program === undefined) throw usageError('no program was named', `write it behind the pod: \`${example}\``);
  if (program.startsWith('-'))
    throw usageError(
      `${program} stands where the program belongs`,
      `flags of exec stand before the pod: \`subroot exec ${program} ${ref} sh\``,
    );
}

async function prepare(
  ref: string,
  argv: readonly string[],
  flags: {readonly container?: string | undefined; readonly cwd?: string | undefined},
  given: {readonly isTerminal: boolean; readonly env: Readonly<Record<string, string>>},
  {root, output}: CommandContext,
) {
  const target = findTarget(openInventory(root), ref);
  const {TERM} = process.env;
  return await target.pod.prepareExec(argv, {
    terminal: given.isTerminal,
    container: await containerOf(target, flags.container, output),
    env: {...(given.isTerminal && TERM ? {TERM} : {}), ...given.env},
    ...(flags.cwd === undefined ? {} : {cwd: flags.cwd}),
  });
}
