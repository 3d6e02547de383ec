import {readdirSync, readlinkSync, statSync} from 'node:fs';
import type {ExecutionContext} from 'ava';
import {isProcessAlive, startTimeOf} from '../../src/host/proc.ts';
import type {Terminal} from '../../src/pty/terminal.ts';
import {until} from './host-test.ts';

/** Masters of terminals that this process has open. */
function openMasters(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^\/dev\/(pts\/)?ptmx$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

/** What a terminal showed so far, and waits for more of it. */
export class Screen {
  readonly terminal: Terminal;
  #text = '';
  #mark = 0;
  #exitCode: number | undefined;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    terminal.onData((text) => {
      this.#text += text;
    });
    void terminal.exited.then(({exitCode}) => {
      this.#exitCode = exitCode;
    });
  }

  /** Everything so far. */
  get text(): string {
    return this.#text;
  }

  /** Types text; what `shows` looks for must come after it. */
  type(text: string): void {
    this.#mark = this.#text.length;
    this.terminal.write(text);
  }

  /** Types a line and Enter. */
  enter(line: string): void {
    this.type(`${line}\r`);
  }

  /** Waits until what came since the last typing matches. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    return await until(
      `the terminal (${this.terminal.backend}) shows ${pattern}`,
      () => pattern.exec(this.#text.slice(this.#mark)) ?? undefined,
      {
        seen: () =>
          `${JSON.stringify(this.#text.slice(-2000))}${this.#exitCode === undefined ? '' : `, ended with ${this.#exitCode}`}`,
      },
    );
  }

  /** Waits for the end; the exit code. */
  async ends(): Promise<number> {
    return await until(
      `the program in the terminal (${this.terminal.backend}) ends`,
      () => (this.#exitCode === undefined ? undefined : {code: this.#exitCode}),
      {
        seen: () => JSON.stringify(this.#text.slice(-2000)),
      },
    ).then(({code}) => code);
  }
}

/**
 * A screen for a terminal that `open` starts. At the end of the test its program is killed if it still runs, and the test fails if
 * the process, its device or a master that we had open is left.
 */
export async function screenOf(t: ExecutionContext, open: () => Promise<Terminal>): Promise<Screen> {
  const mastersBefore = openMasters();
  const terminal = await open();
  const screen = new Screen(terminal);
  const identity = {pid: terminal.pid, startTime: startTimeOf(terminal.pid) ?? ''};
  let device: {path: string; made: bigint} | undefined;
  try {
    const path = readlinkSync(`/proc/${terminal.pid}/fd/0`);
    device = {path, made: statSync(path, {bigint: true}).ctimeNs};
  } catch {
    // It ended already.
  }
  const isDeviceLeft = () => {
    if (device === undefined) return false;
    const stat = statSync(device.path, {bigint: true, throwIfNoEntry: false});
    return stat !== undefined && stat.ctimeNs === device.made;
  };
  t.teardown(async () => {
    // As closing a window does; what ignores that is killed.
    terminal.kill('SIGHUP');
    const stubborn = setTimeout(() => terminal.kill('SIGKILL'), 2000);
    await screen.ends();
    clearTimeout(stubborn);
    const left = () => [
      ...(isProcessAlive(identity) ? [`process ${identity.pid}`] : []),
      ...(isDeviceLeft() ? [`terminal ${device?.path}`] : []),
      ...(openMasters() > mastersBefore ? [`${openMasters() - mastersBefore} masters of terminals`] : []),
    ];
    await until(`nothing is left of a terminal (${terminal.backend})`, () => left().length === 0, {
      deadlineMs: 15_000,
      seen: () => left().join(', '),
    });
  });
  return screen;
}
