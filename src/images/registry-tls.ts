import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {rootCertificates} from 'node:tls';
import {subrootError} from '../../native-free/errors.ts';
import {errnoOf} from '../host/state-files.ts';
import {userConfigFolder} from './registry-config.ts';

/** Whom a registry's certificate may be signed by, and who we are to it. */
export interface TlsFiles {
  readonly ca: string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Certificates of this machine: Debian's bundle and that of Fedora. */
const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

function readIfThere(path: string): string[] {
  try {
    return [readFileSync(path, 'utf8')];
  } catch {
    return [];
  }
}

function readGiven(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw subrootError('SUBROOT_REGISTRY_CONFIG', {file: path, why: `it cannot be read (${errnoOf(error)})`}, error);
  }
}

/**
 * The certificates for a registry: what Node trusts, what this machine trusts, NODE_EXTRA_CA_CERTS, and of the first folder that there is
 * for it: `*.crt` (CAs), `NAME.cert` with `NAME.key` (ours). Source: containers-certs.d(5).
 * Errors: SUBROOT_REGISTRY_CONFIG for a folder or file that is there and cannot be read.
 */
export function readTlsFiles(
  registry: string,
  options: {readonly certDir?: string | undefined; readonly env?: NodeJS.ProcessEnv} = {},
): TlsFiles {
  const env = options.env ?? process.env;
  const folders = options.certDir
    ? [options.certDir]
    : [join(userConfigFolder(env), 'certs.d'), '/etc/containers/certs.d', '/etc/docker/certs.d'].map((folder) =>
        join(folder, registry),
      );
  const system = env.SSL_CERT_FILE ? [env.SSL_CERT_FILE] : systemBundles;
  const trusted = [
    ...rootCertificates,
    ...system.flatMap(readIfThere),
    ...(env.NODE_EXTRA_CA_CERTS ? readIfThere(env.NODE_EXTRA_CA_CERTS) : []),
  ];
  for (const folder of folders) {
    let names: string[];
    try {
      names = readdirSync(folder).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && !options.certDir) continue;
      throw subrootError(
        'SUBROOT_REGISTRY_CONFIG',
        {file: folder, why: `it cannot be read (${errnoOf(error)})`},
        error,
      );
    }
    const ca = names.filter((name) => name.endsWith('.crt')).map((name) => readGiven(join(folder, name)));
    const cert = names.find((name) => name.endsWith('.cert'));
    if (cert === undefined) return {ca: [...trusted, ...ca]};
    const key = cert.replace(/\.cert$/, '.key');
    return {ca: [...trusted, ...ca], cert: readGiven(join(folder, cert)), key: readGiven(join(folder, key))};
  }
  return {ca: trusted};
}
