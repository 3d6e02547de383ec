import {createReadStream} from 'node:fs';
import {open} from 'node:fs/promises';
import {PassThrough, type Readable, type Transform} from 'node:stream';
import zlib, {createGunzip} from 'node:zlib';
import {pipeTool} from '../host/pipe-tool.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** How bytes are compressed, by their first four. A media type may be wrong; the bytes are not. */
export function compressionOf(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return 'none';
}

/**
 * The plain bytes of a stream. zstd is Node's own from 22.15 on, before that the tool of that name. An error of the source or of the
 * decompressor ends the stream. Errors: SUBROOT_IMAGE_TOOL_MISSING, zlib's.
 */
export function decompressed(source: Readable, compression: Compression): Readable {
  if (compression === 'none') return source;
  if (compression === 'gzip') return joined(source, createGunzip());
  const {createZstdDecompress} = zlib as {createZstdDecompress?: () => Transform};
  if (createZstdDecompress) return joined(source, createZstdDecompress());
  const tool = pipeTool('zstd', ['-dcq'], {input: true, what: 'a layer with zstd compression', install: 'zstd'});
  const out = new PassThrough();
  if (tool.stdin) source.pipe(tool.stdin);
  source.once('error', (error) => out.destroy(error));
  out.once('close', () => {
    tool.kill();
    source.destroy();
  });
  // Its exit code is part of the stream: what was cut off is no end.
  tool.stdout.pipe(out, {end: false});
  tool.ended.then(
    () => out.end(),
    (error: Error) => out.destroy(error),
  );
  return out;
}

/** How a file is compressed. Errors: Node's of the file. */
export async function compressionAt(path: string): Promise<Compression> {
  const file = await open(path);
  const head = Buffer.alloc(4);
  try {
    await file.read(head, 0, 4, 0);
  } finally {
    await file.close();
  }
  return compressionOf(head);
}

/** The plain bytes of a file, by what it begins with. Errors: as `decompressed`, and Node's of the file. */
export async function openPlain(path: string): Promise<Readable> {
  // First: a stream that cannot be opened fails at once, and nobody would listen yet.
  const compression = await compressionAt(path);
  return decompressed(createReadStream(path, {highWaterMark: 256 * 1024}), compression);
}

function joined(source: Readable, transform: Transform): Readable {
  source.once('error', (error) => transform.destroy(error));
  transform.once('close', () => source.destroy());
  return source.pipe(transform);
}
