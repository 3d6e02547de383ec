import {join} from 'node:path';
import {containerTools, type MachineFacts, type ToolFact} from '../doctor/facts.ts';
import {findProgram, readNames, readText} from './machine-files.ts';
import {runAside} from './machine-run.ts';

/** Starts every tool at once and collects their first lines; one that has not answered after a second is left out. */
const script = String.raw`
my @tools = map { open(my $out, '-|', $_, '--version') ? [$_, $out] : () } @ARGV;
alarm 1;
$| = 1;
for (@tools) { my ($path, $out) = @$_; my $line = <$out>; print unpack('H*', $path), ' ', $line // "\n" }
`;

/**
 * The container tools that are installed here, with their versions when perl is there to ask them. They are asked while the caller goes on:
 * await the answer last.
 */
export async function readTools(perl: string | undefined): Promise<readonly ToolFact[]> {
  const found = containerTools.flatMap((name) => {
    const path = findProgram(name);
    return path === undefined ? [] : [{name, path}];
  });
  if (found.length === 0) return [];
  const lines = perl === undefined ? '' : await runAside(perl, ['-e', script, ...found.map(({path}) => path)]);
  const versions = parseVersions(lines);
  return found.map(({name, path}) => ({name, path, version: versions.get(path)}));
}

/** By path, the first number with a dot in what the tool printed. */
export function parseVersions(text: string): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]+) .*?(\d+\.\d+(?:\.\d+)?)/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined)
      versions.set(Buffer.from(match[1], 'hex').toString('utf8'), match[2]);
  }
  return versions;
}

/** The blocks of pods that a kubelet has on record: PODS/UID/userns. Empty where there is no kubelet, or we may not look. */
export function readKubeletBlocks(pods: string): MachineFacts['kubeletBlocks'] {
  return readNames(pods).flatMap((pod) => {
    const text = readText(join(pods, pod, 'userns'));
    const match = /"hostId"\s*:\s*(\d+)[^}]*"length"\s*:\s*(\d+)/.exec(text ?? '');
    return match === null ? [] : [{pod, first: Number(match[1]), size: Number(match[2])}];
  });
}
