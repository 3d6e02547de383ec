import {makeTerminalRaw} from '../../pty/raw-terminal.ts';
import {defineCommand} from '../command.ts';
import {openInventory} from '../open-inventory.ts';
import {findTarget} from '../target.ts';

const detachKeys = Buffer.from([0x10, 0x11]);

/** `subroot attach`: our streams become those of a running container's own program; ends with its exit code. */
export const attachCommand = defineCommand({
  options: {
    interactive: {alias: 'i', type: 'boolean', describe: 'pass standard input on'},
    tty: {alias: 't', type: 'boolean', describe: 'as a terminal (the container must have one)'},
    container: {alias: 'c', type: 'string', requiresArg: true, describe: 'the container; the first by default'},
  },
  run: async ({flags, words}, {output, root}) => {
    const [ref = ''] = words;
    const target = findTarget(openInventory(root), ref);
    const container = target.containerId ?? flags.container;
    const {stdin, stdout, stderr} = process;
    const connection = await target.pod.attach(
      {onStdout: (bytes) => stdout.write(bytes), onStderr: (bytes) => stderr.write(bytes)},
      container === undefined ? {} : {container},
    );
    const raw = flags.tty === true && connection.tty && stdin.isTTY === true;
    if (flags.tty && !connection.tty)
      output.note('subroot: the container has no terminal (`tty: true` in its manifest gives it one)');
    if (flags.interactive && !connection.stdin)
      output.note('subroot: the container has no standard input (`stdin: true` in its manifest gives it one)');
    if (raw) output.note('subroot: attached; Ctrl-P Ctrl-Q lets go and leaves it running');
    let detached = false;
    const resize = () => connection.resize(stdout.rows ?? 24, stdout.columns ?? 80);
    const restore = raw ? makeTerminalRaw() : () => {};
    if (raw) {
      resize();
      stdout.on('resize', resize);
    }
    if (flags.interactive) {
      stdin.on('data', (bytes: Buffer) => {
        if (raw && bytes.includes(detachKeys)) {
          detached = true;
          connection.close();
        } else connection.write(bytes);
      });
      stdin.on('end', () => connection.endStdin());
    }
    try {
      const exitCode = await connection.ended;
      return detached ? 0 : (exitCode ?? 125);
    } finally {
      stdout.off('resize', resize);
      restore();
      stdin.pause();
      stdin.unref?.();
    }
  },
});
