import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {subrootError} from '../../../native-free/errors.ts';
import {runProgram} from '../../host/run-program.ts';

/**
 * Writes an image of one layer, as an archive in OCI's layout that `ctr images import`, `podman load` and `docker load` (from 25) read.
 * `root` is a folder that becomes the layer; `folder` is ours and takes what is made on the way. Needs tar(1). Throws SUBROOT_TOOL_FAILED.
 */
export async function writeImage(parts: {
  readonly root: string;
  readonly folder: string;
  readonly name: string;
  readonly command: readonly string[];
}): Promise<string> {
  const layout = join(parts.folder, 'layout');
  mkdirSync(join(layout, 'blobs', 'sha256'), {recursive: true});
  const layerFile = join(parts.folder, 'layer.tar');
  await tar(['--numeric-owner', '--owner=0', '--group=0', '-C', parts.root, '-cf', layerFile, '.']);
  const layer = addBlob(layout, readFileSync(layerFile));
  const config = addBlob(
    layout,
    json({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {Cmd: parts.command, Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']},
      rootfs: {type: 'layers', diff_ids: [layer.digest]},
    }),
  );
  const manifest = addBlob(
    layout,
    json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {mediaType: 'application/vnd.oci.image.config.v1+json', ...config},
      layers: [{mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer}],
    }),
  );
  writeFileSync(join(layout, 'oci-layout'), json({imageLayoutVersion: '1.0.0'}));
  writeFileSync(
    join(layout, 'index.json'),
    json({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          ...manifest,
          annotations: {
            'io.containerd.image.name': parts.name,
            'org.opencontainers.image.ref.name': parts.name.replace(/^.*:/, ''),
          },
        },
      ],
    }),
  );
  const archive = join(parts.folder, 'image.tar');
  await tar(['-C', layout, '-cf', archive, 'oci-layout', 'index.json', 'blobs']);
  return archive;
}

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function addBlob(layout: string, bytes: Buffer): {readonly digest: string; readonly size: number} {
  const hex = createHash('sha256').update(bytes).digest('hex');
  const file = join(layout, 'blobs', 'sha256', hex);
  writeFileSync(file, bytes);
  return {digest: `sha256:${hex}`, size: statSync(file).size};
}

async function tar(words: readonly string[]): Promise<void> {
  const ran = await runProgram(['tar', ...words]);
  if (ran.exitCode !== 0)
    throw subrootError('SUBROOT_TOOL_FAILED', {
      tool: ['tar', ...words].join(' '),
      exitCode: ran.exitCode ?? 'none',
      output: ran.missing ? 'there is no tar' : ran.stderr.trim() || 'it said nothing',
      mend: 'see that tar is installed and that there is room in the temporary folder',
    });
}
