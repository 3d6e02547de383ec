import {spawn} from 'node:child_process';
import {subrootError} from '../../native-free/errors.ts';

/** flock(2) on a file until our end of its standard input is closed, by whatever ends us: the kernel never leaves such a lock behind. */
const program = String.raw`
open my $lock, ">>", $ARGV[0] or do { print "no $!\n"; exit 1 };
flock $lock, $ARGV[1] or do { print "busy\n"; exit 1 };
$| = 1;
print "locked\n";
sysread STDIN, my $byte, 1;
`;

export interface FileLock {
  /** Resolves when others can have it. */
  release(): Promise<void>;
}

/**
 * A lock between processes: `shared` by any number, or `exclusive`. Waits for it; with `wait` false answers undefined when another has it.
 * Errors: SUBROOT_PERL_MISSING, SUBROOT_STATE_IO. Aborting the signal gives up waiting, with its reason.
 */
export async function lockFile(
  path: string,
  kind: 'shared' | 'exclusive',
  options: {readonly wait?: boolean; readonly signal?: AbortSignal} = {},
): Promise<FileLock | undefined> {
  options.signal?.throwIfAborted();
  const operation = (kind === 'shared' ? 1 : 2) + (options.wait === false ? 4 : 0);
  const child = spawn('perl', ['-e', program, path, String(operation)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
    env: {PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C'},
  });
  child.stdin.on('error', () => {});
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const release = async () => {
    child.ref();
    child.stdin.end();
    child.stdout.destroy();
    await gone;
  };
  const giveUp = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', giveUp, {once: true});
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.stdout
        .setEncoding('utf8')
        .once('data', resolve)
        .once('end', () => resolve(''));
    });
    options.signal?.throwIfAborted();
    if (answer === 'locked\n') {
      child.unref();
      return {release};
    }
    await release();
    if (answer === 'busy\n' && options.wait === false) return undefined;
    throw subrootError('SUBROOT_STATE_IO', {path, errno: answer.replace(/^no /, '').trim() || 'no lock'});
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw subrootError('SUBROOT_PERL_MISSING', {tried: process.env.PATH ?? ''}, error);
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
  }
}
