import {makeTerminalRaw} from '../../pty/raw-terminal.ts';
import {defineCommand} from '../command.ts';
import {DetachKeys} from '../detach-keys.ts';
import {endAsProgram, startExitCodes} from '../end-as-program.ts';
import {openInventory} from '../open-inventory.ts';
import {containerOf, findTarget} from '../target.ts';

type Connection = Awaited<ReturnType<ReturnType<typeof findTarget>['pod']['attach']>>;

/** `subroot attach`: our streams become those of a running container's own program; ends with its exit code. */
export const attachCommand = defineCommand({
  options: {
    interactive: {alias: 'i', type: 'boolean', describe: 'pass standard input on'},
    tty: {alias: 't', type: 'boolean', describe: 'as a terminal (the container must have one)'},
    container: {alias: 'c', type: 'string', requiresArg: true, describe: 'the container; the first by default'},
  },
  run: async ({flags, words}, context) =>
    await endAsProgram(context, async () => {
      const {output} = context;
      const target = findTarget(openInventory(context.root), words[0] ?? '');
      const container = await containerOf(target, flags.container, output);
      const {stdin, stdout, stderr} = process;
      const connection = await target.pod.attach(
        {onStdout: (bytes) => stdout.write(bytes), onStderr: (bytes) => stderr.write(bytes)},
        {container},
      );
      if (flags.tty && !connection.tty)
        output.note('subroot: the container has no terminal (`tty: true` in its manifest gives it one)');
      if (flags.interactive && !connection.stdin)
        output.note('subroot: the container has no standard input (`stdin: true` in its manifest gives it one)');
      const hasInput = flags.interactive === true && connection.stdin;
      const isRaw = hasInput && flags.tty === true && connection.tty && stdin.isTTY === true;
      if (isRaw) output.note('subroot: attached; Ctrl-P Ctrl-Q lets go and leaves it running');
      const input = hasInput ? new Input(connection, isRaw) : undefined;
      try {
        const exitCode = await connection.ended;
        if (input?.isDetached) return 0;
        if (exitCode === undefined) output.note('subroot: the connection was cut; see `subroot ps -a`');
        return exitCode ?? startExitCodes.ours;
      } finally {
        input?.close();
        if (input?.isDetached) output.note('\nsubroot: let go; the container runs on');
      }
    }),
});

/** How long a Ctrl-P waits for its Ctrl-Q before the container gets it, in milliseconds. */
const HOLD_MS = 500;

/** Our standard input on its way to the container: as it comes, or as a raw terminal with its size and the keys that let go. */
class Input {
  isDetached = false;
  readonly #connection: Connection;
  readonly #isRaw: boolean;
  readonly #restore: () => void;
  readonly #keys = new DetachKeys();
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, isRaw: boolean) {
    this.#connection = connection;
    this.#isRaw = isRaw;
    const {stdin, stdout} = process;
    this.#restore = isRaw ? makeTerminalRaw() : () => {};
    if (isRaw) {
      this.#resize();
      stdout.on('resize', this.#resize);
    }
    stdin.on('data', this.#pass);
    stdin.on('end', this.#end);
    stdin.on('error', this.#end);
  }

  close(): void {
    const {stdin, stdout} = process;
    clearTimeout(this.#timer);
    stdout.off('resize', this.#resize);
    stdin.off('data', this.#pass).off('end', this.#end).off('error', this.#end);
    this.#restore();
    stdin.pause();
    stdin.unref?.();
  }

  readonly #resize = (): void => this.#connection.resize(process.stdout.rows ?? 24, process.stdout.columns ?? 80);
  readonly #end = (): void => this.#connection.endStdin();

  readonly #pass = (bytes: Buffer): void => {
    if (!this.#isRaw) {
      this.#connection.write(bytes);
      return;
    }
    clearTimeout(this.#timer);
    const {pass, detached} = this.#keys.push(bytes);
    if (pass.length > 0) this.#connection.write(pass);
    if (detached) {
      this.isDetached = true;
      this.#connection.close();
    } else this.#timer = setTimeout(this.#release, HOLD_MS);
  };

  readonly #release = (): void => {
    const bytes = this.#keys.release();
    if (bytes.length > 0) this.#connection.write(bytes);
  };
}
