import {readFileSync} from 'node:fs';

/** The version of subroot. The manifest is two folders up from here in the source and in the bundle's chunks alike. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
