import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import {subrootError} from '../native-free/errors.ts';

/** The file operations the ledger is made of; each is one system call or nearly so. Tests kill between them. */
export interface LedgerFs {
  mkdir(path: string): void;
  rmdir(path: string): void;
  /** Opens for writing a file that must not exist yet, mode 0600. */
  create(path: string): number;
  /** Opens a file or folder to fsync it. */
  open(path: string): number;
  write(fd: number, text: string): void;
  fsync(fd: number): void;
  close(fd: number): void;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  readdir(path: string): string[];
  read(path: string): string;
  /** Bytes, or undefined when there is nothing at that path. */
  size(path: string): number | undefined;
}

export const nodeLedgerFs: LedgerFs = {
  mkdir: (path) => mkdirSync(path, 0o700),
  rmdir: rmdirSync,
  create: (path) => openSync(path, 'wx', 0o600),
  open: (path) => openSync(path, 'r'),
  write(fd, text) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  },
  fsync: fsyncSync,
  close: closeSync,
  link: linkSync,
  rename: renameSync,
  unlink: unlinkSync,
  readdir: (path) => readdirSync(path),
  read: (path) => readFileSync(path, 'utf8'),
  size: (path) => statSync(path, {throwIfNoEntry: false})?.size,
};

/** The errno name of a failed system call, or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** The ledger's error for a failed system call; an error that is ours already stays as it is. */
export function ledgerError(error: unknown, operation: string, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const details = {operation, path, errno};
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return subrootError('SUBROOT_LEDGER_NO_SPACE', details, error);
    case 'EROFS':
      return subrootError('SUBROOT_LEDGER_READ_ONLY', details, error);
    case 'EACCES':
    case 'EPERM':
      return subrootError('SUBROOT_LEDGER_ACCESS', details, error);
    case 'ENOTDIR':
      return subrootError('SUBROOT_LEDGER_CORRUPT', {path, why: 'a file stands where a folder belongs'}, error);
    default:
      return subrootError('SUBROOT_LEDGER_IO', details, error);
  }
}

/** Runs one operation; undefined when it failed with one of the errnos that are an answer here. */
export function unless<T>(errnos: readonly string[], operation: string, path: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (errnos.includes(errnoOf(error) ?? '')) return undefined;
    throw ledgerError(error, operation, path);
  }
}

/** True when the operation was done, false when it failed with one of the errnos that are an answer here. */
export function did(errnos: readonly string[], operation: string, path: string, run: () => void): boolean {
  const done = unless(errnos, operation, path, () => {
    run();
    return true;
  });
  return done ?? false;
}
