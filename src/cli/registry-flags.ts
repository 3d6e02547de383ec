import {resolve} from 'node:path';
import type {RegistryOptions} from '../images/pull-progress.ts';

/** Flags of the commands that ask registries, in podman's words. */
export const registryFlags = {
  authfile: {type: 'string', requiresArg: true, describe: 'file of credentials instead of the usual ones'},
  'cert-dir': {type: 'string', requiresArg: true, describe: 'folder of certificates instead of the usual ones'},
  'tls-verify': {
    type: 'boolean',
    describe: 'with =false: take any certificate, and plain HTTP where there is no TLS (true)',
  },
} as const;

/** What these flags say. */
export function registryOptions(flags: {
  readonly authfile?: string | undefined;
  readonly 'cert-dir'?: string | undefined;
  readonly 'tls-verify'?: boolean | undefined;
}): RegistryOptions {
  return {
    ...(flags.authfile === undefined ? {} : {authFile: resolve(flags.authfile)}),
    ...(flags['cert-dir'] === undefined ? {} : {certDir: resolve(flags['cert-dir'])}),
    ...(flags['tls-verify'] === undefined ? {} : {tlsVerify: flags['tls-verify']}),
  };
}
