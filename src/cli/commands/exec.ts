import {spawn} from 'node:child_process';
import {SubrootError} from '../../../native-free/errors.ts';
import {defineCommand} from '../command.ts';
import {usageError} from '../failure.ts';
import {openInventory} from '../open-inventory.ts';
import {parseEnv} from '../parse-env.ts';
import {startFailure} from '../start-failure.ts';
import {findTarget} from '../target.ts';

/** `subroot exec`: a program in a running container, with the caller's own streams or a terminal; ends as the program does. */
export const execCommand = defineCommand({
  options: {
    interactive: {alias: 'i', type: 'boolean', describe: 'pass standard input on'},
    tty: {alias: 't', type: 'boolean', describe: 'a terminal for the program'},
    container: {alias: 'c', type: 'string', requiresArg: true, describe: 'the container; the first by default'},
    env: {
      alias: 'e',
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'NAME=VALUE for the program; may be repeated',
    },
    cwd: {type: 'string', requiresArg: true, describe: 'folder in the container to start in'},
    timeout: {type: 'string', requiresArg: true, describe: 'seconds after which it is killed'},
  },
  run: async ({flags, words, rest}, {output, root}) => {
    const [ref = ''] = words;
    if (rest.length === 0)
      throw usageError(
        'no program was named',
        `write it behind the pod: \`subroot exec ${flags.tty ? '-it ' : ''}${ref} sh\``,
      );
    const inventory = openInventory(root);
    const target = findTarget(inventory, ref);
    const terminal = flags.tty === true && process.stdin.isTTY === true;
    if (flags.tty && !terminal) output.note('subroot: standard input is no terminal, so the program gets none either');
    const seconds = flags.timeout === undefined ? 0 : Number(flags.timeout);
    if (!Number.isFinite(seconds) || seconds < 0)
      throw usageError(`--timeout ${flags.timeout} is no number of seconds`, 'write a number, such as --timeout 30');
    try {
      const container = target.containerId ?? flags.container;
      const prepared = await target.pod.prepareExec(rest, {
        terminal,
        ...(container === undefined ? {} : {container}),
        env: {...(terminal && process.env.TERM ? {TERM: process.env.TERM} : {}), ...parseEnv(flags.env ?? [])},
        ...(flags.cwd === undefined ? {} : {cwd: flags.cwd}),
      });
      const exitCode = await runWithOurStreams(prepared.argv, flags.interactive === true || terminal, seconds);
      const failure = prepared.failure();
      if (failure) throw failure;
      return exitCode;
    } catch (error) {
      if (error instanceof SubrootError) return startFailure(error, output);
      throw error;
    }
  },
});

/** Runs the helper with our streams; passes on the signals that end us. Answers its exit code. */
async function runWithOurStreams(argv: readonly string[], stdin: boolean, seconds: number): Promise<number> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, {stdio: [stdin ? 'inherit' : 'ignore', 'inherit', 'inherit'], cwd: '/'});
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  // The terminal sends Ctrl-C and Ctrl-\ to the program itself; we only must not die of them before it.
  const ignore = () => {};
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, passOn);
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  const timer = seconds > 0 ? setTimeout(() => child.kill('SIGKILL'), seconds * 1000) : undefined;
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)));
    });
  } finally {
    clearTimeout(timer);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, passOn);
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
  }
}
