import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {subrootError} from '../../native-free/errors.ts';
import {usageError} from './failure.ts';

/** A file to lint, read. */
export interface LintFile {
  /** As it is shown and written to reports: the word given, or below the folder given. */
  readonly name: string;
  readonly path: string | undefined;
  readonly kind: 'manifest' | 'subuid' | 'subgid';
  readonly text: string;
}

/** Larger files are no manifests and no lists of ids. */
const MAX_BYTES = 64 * 1_048_576;
const manifestName = /\.(ya?ml|json)$/i;
const skipped: ReadonlySet<string> = new Set(['node_modules', '.git']);

/**
 * The files of the words given, folders opened (*.yaml, *.yml, *.json below them, in order; not below node_modules and .git); `-` is
 * standard input. Errors: SUBROOT_FILE_UNREADABLE; SUBROOT_USAGE for a folder without a manifest.
 */
export async function readLintFiles(words: readonly string[], allSubids: boolean): Promise<readonly LintFile[]> {
  const files: LintFile[] = [];
  const seen = new Set<string>();
  for (const word of words) {
    if (word === '-') {
      files.push({name: 'standard input', path: undefined, kind: kindOf('', allSubids), text: await readStdin()});
      continue;
    }
    for (const path of pathsOf(word)) {
      if (seen.has(path)) continue;
      seen.add(path);
      files.push({name: path, path, kind: kindOf(basename(path), allSubids), text: readText(path)});
    }
  }
  return files;
}

function pathsOf(word: string): readonly string[] {
  if (!stat(word).isDirectory()) return [word];
  const found = walk(word);
  if (found.length === 0) {
    throw usageError(`there is no *.yaml, *.yml or *.json below ${word}`, 'name the files that are meant');
  }
  return found;
}

function walk(folder: string): string[] {
  const entries = attempt(folder, () => readdirSync(folder, {withFileTypes: true}));
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      // A link to a folder may lead back up.
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : walk(path);
      if (!manifestName.test(entry.name)) return [];
      if (entry.isFile()) return [path];
      return entry.isSymbolicLink() && existsSync(path) && stat(path).isFile() ? [path] : [];
    });
}

function kindOf(name: string, allSubids: boolean): LintFile['kind'] {
  const [, id] = /^(sub[ug]id)(?![a-z0-9])/.exec(name) ?? [];
  if (id !== undefined && !manifestName.test(name)) return id as 'subuid' | 'subgid';
  if (!allSubids) return 'manifest';
  return /gid/.test(name) ? 'subgid' : 'subuid';
}

/** A file that stands beside another, when it can be read: passwd and group of a subuid file, or its counterpart. */
export function readBeside(
  path: string | undefined,
  name: string,
): {readonly path: string; readonly text: string} | undefined {
  if (path === undefined) return undefined;
  const beside = join(dirname(path), name);
  return existsSync(beside) ? {path: beside, text: readText(beside)} : undefined;
}

/** The text of a file. Errors: SUBROOT_FILE_UNREADABLE. */
export function readText(path: string): string {
  const {size} = stat(path);
  if (size > MAX_BYTES) throw subrootError('SUBROOT_FILE_UNREADABLE', {path, why: `it has ${size} bytes`});
  return attempt(path, () => readFileSync(path, 'utf8'));
}

function stat(path: string): ReturnType<typeof statSync> & object {
  return attempt(path, () => statSync(path));
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw subrootError('SUBROOT_FILE_UNREADABLE', {path, why: (error as NodeJS.ErrnoException).code ?? 'EIO'}, error);
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > MAX_BYTES)
      throw subrootError('SUBROOT_FILE_UNREADABLE', {path: 'standard input', why: 'it does not end'});
  }
  return Buffer.concat(chunks).toString('utf8');
}
