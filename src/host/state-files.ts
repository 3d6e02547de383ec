import {mkdirSync} from 'node:fs';
import {dirname} from 'node:path';
import {SubrootError, subrootError} from '../../native-free/errors.ts';

/** The errno of a file error; EIO when it has none. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'EIO';
}

/** The error of ours for a file operation in the state folder that failed, by its errno. */
export function explainFileError(path: string, error: unknown): SubrootError {
  if (error instanceof SubrootError) return error;
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return subrootError('SUBROOT_STATE_DISK_FULL', {path, errno}, error);
  if (errno === 'EROFS') return subrootError('SUBROOT_STATE_READ_ONLY', {path, errno}, error);
  if (errno === 'EACCES' || errno === 'EPERM') return subrootError('SUBROOT_STATE_FORBIDDEN', {path, errno}, error);
  return subrootError('SUBROOT_STATE_IO', {path, errno}, error);
}

/** Runs a file operation and names the state folder, the path and the errno when it fails. */
export function guarded<Result>(path: string, operation: () => Result): Result {
  try {
    return operation();
  } catch (error) {
    throw explainFileError(path, error);
  }
}

/** Makes a folder and those above it where they are missing. Node's own recursive mkdir says ENOENT on a read-only file system. */
export function makeFolder(path: string, mode: number): void {
  guarded(path, () => {
    try {
      mkdirSync(path, {mode});
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EEXIST') return;
      if (errno !== 'ENOENT' || dirname(path) === path) throw error;
      makeFolder(dirname(path), mode);
      mkdirSync(path, {mode});
    }
  });
}
