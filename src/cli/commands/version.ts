import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {release} from 'node:os';
import {agentScript} from '../../host/agent.ts';
import {findProgram} from '../../host/machine-files.ts';
import {probe} from '../../host/machine-probe.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {packageVersion} from '../package-version.ts';
import {columns} from '../render.ts';
import {versionSchema} from '../schemas.ts';

/** `subroot version`: what a bug report needs. */
export const versionCommand = defineCommand({
  options: {},
  schema: versionSchema,
  run: async (_, {output}) => {
    const value = readVersion();
    await output.emit(value, () =>
      columns(
        [
          ['subroot', value.version],
          ['node', value.node],
          ['kernel', `${value.platform} ${value.kernel}`],
          ['agent', `${value.agent.script} ${value.agent.digest}, perl ${value.agent.perl ?? 'missing'}`],
          ['runtime api', value.runtimeApi],
        ],
        output.width,
      ).join('\n'),
    );
    return exitCodes.ok;
  },
});

function readVersion() {
  const perl = findProgram('perl');
  return {
    version: packageVersion(),
    node: process.version,
    kernel: release(),
    platform: process.platform,
    agent: {
      script: 'agent.pl',
      digest: createHash('sha256').update(readFileSync(agentScript)).digest('hex').slice(0, 12),
      perl: (perl === undefined ? undefined : probe(perl, {})?.perlVersion) ?? null,
    },
    runtimeApi: 'v1',
  } as const;
}
