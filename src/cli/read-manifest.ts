import {createReadStream, readdirSync} from 'node:fs';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import {printable, subrootError} from '../../native-free/errors.ts';
import {type ApiObjects, MAX_MANIFEST_BYTES, type Pod, parseManifests} from '../../sim/index.ts';
import {usageError} from './failure.ts';
import type {Output} from './output.ts';
import {shownName} from './shown-name.ts';

/** What `run` takes from a manifest. */
export interface RunInput {
  readonly pods: readonly Pod[];
  /** Its ConfigMaps and Secrets. */
  readonly objects: ApiObjects;
}

/**
 * The pods of a manifest and the objects that they may refer to, from a file or, with `-`, from standard input; what is not honoured is told on standard error. Errors:
 * SUBROOT_MANIFEST_*, SUBROOT_POD_INVALID, and SUBROOT_USAGE for a folder and for two pods of one name.
 */
export async function readManifest(file: string, name: string | undefined, output: Output): Promise<RunInput> {
  const isStdin = file === '-';
  const shown = isStdin ? 'standard input' : file;
  if (isStdin && process.stdin.isTTY) output.progress('reading the manifest from this terminal; Ctrl-D ends it');
  const text = await readText(isStdin ? process.stdin : createReadStream(file), file);
  const {pods, objects, others, warnings} = parseManifests(text, {file: shown});
  for (const warning of warnings)
    output.note(`subroot: warning: ${printable(`${warning.file}:${warning.line}:${warning.column}: ${warning.text}`)}`);
  if (pods.length === 0) throw subrootError('SUBROOT_MANIFEST_EMPTY', {file: shown});
  for (const other of others)
    output.progress(
      `${printable(`${other.kind} ${other.name}`)} is left out: subroot takes Pods, ConfigMaps and Secrets`,
    );
  const named = name === undefined ? pods : [renamed(pods, name, shown)];
  refuseTwins(named, shown);
  return {pods: named, objects};
}

/** All of a stream as text; reading ends where no manifest can be that big. Errors: SUBROOT_MANIFEST_UNREADABLE, SUBROOT_USAGE. */
async function readText(stream: Readable, file: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > MAX_MANIFEST_BYTES) break;
    }
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO';
    if (errno === 'EISDIR') throw folderError(file);
    throw subrootError('SUBROOT_MANIFEST_UNREADABLE', {file, errno}, error);
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
}

function folderError(folder: string): Error {
  const manifest = readdirSync(folder).find((name) => /\.(ya?ml|json)$/.test(name));
  return usageError(
    `${folder} is a folder, and \`subroot run\` takes one file`,
    manifest === undefined ? 'name a manifest' : `name a file in it, such as ${join(folder, manifest)}`,
  );
}

function renamed(pods: readonly Pod[], name: string, file: string): Pod {
  const [pod, other] = pods;
  if (!pod || other)
    throw usageError(
      `--name names one pod, and ${file} has ${pods.length}`,
      'leave --name out, or give a file with one pod',
    );
  return {...pod, metadata: {...pod.metadata, name}};
}

function refuseTwins(pods: readonly Pod[], file: string): void {
  const names = pods.map(({metadata}) => `${metadata.namespace}/${metadata.name}`);
  const twin = pods.find((_, index) => names.indexOf(names[index] ?? '') !== index);
  if (twin)
    throw usageError(`${file} has two pods ${shownName(twin.metadata)}`, 'give each pod of a namespace its own name');
}
