import {readFileSync} from 'node:fs';
import test from 'ava';
import {checksSchema, comparisonSchema, cveSchema, reportSchema} from '../../src/cli/check-schemas.ts';
import {commands} from '../../src/cli/commands.ts';
import {startExitCodes} from '../../src/cli/end-as-program.ts';
import {exitCodes} from '../../src/cli/exit-codes.ts';
import {explainPathSchema, explainSchema} from '../../src/cli/explain-schema.ts';
import {globalOptions} from '../../src/cli/globals.ts';
import {
  imageFsInfoSchema,
  imagesSchema,
  importSchema,
  inspectImageSchema,
  pullSchema,
  removeImageSchema,
} from '../../src/cli/image-schemas.ts';
import {lintSchema} from '../../src/cli/lint-schema.ts';
import {
  endedSchema,
  gcSchema,
  inspectPodSchema,
  inspectSchema,
  logsSchema,
  podsSchema,
  psSchema,
  runSchema,
} from '../../src/cli/pod-schemas.ts';
import {doctorSchema, errorSchema, idsSchema, mapCheckSchema, mapSchema, versionSchema} from '../../src/cli/schemas.ts';

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');

function sectionOf(title: string): string {
  const start = page.search(new RegExp(`\\n## ${title}(?![a-z])`));
  const end = page.indexOf('\n## ', start + 1);
  return page.slice(start, end < 0 ? undefined : end);
}

/** Names of all properties, at any depth. */
function propertyNames(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(propertyNames);
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([word, value]) => [
    ...(word === 'properties' ? Object.keys(value as object) : []),
    ...propertyNames(value),
  ]);
}

const sections = [
  ['Errors', errorSchema],
  ['`subroot map', [mapSchema, mapCheckSchema]],
  ['`subroot ids', idsSchema],
  ['`subroot lint', lintSchema],
  ['`subroot doctor', doctorSchema],
  ['`subroot explain', [explainSchema, explainPathSchema]],
  ['`subroot version', versionSchema],
  ['`subroot run', runSchema],
  ['`subroot pods', podsSchema],
  ['`subroot ps', psSchema],
  ['`subroot logs', logsSchema],
  ['`subroot inspectp', inspectPodSchema],
  ['`subroot inspect', inspectSchema],
  ['`subroot stop', endedSchema],
  ['`subroot gc', gcSchema],
  ['`subroot pull', pullSchema],
  ['`subroot import', importSchema],
  ['`subroot images', imagesSchema],
  ['`subroot inspecti', inspectImageSchema],
  ['`subroot rmi', removeImageSchema],
  ['`subroot imagefsinfo', imageFsInfoSchema],
  ['Reports', [reportSchema, comparisonSchema]],
  ['`subroot checks', checksSchema],
  ['`subroot cve', cveSchema],
] as const;

for (const [title, schema] of sections) {
  test(`docs/cli.md names every JSON field: ${title.replace('`', '')}`, (t) => {
    const section = sectionOf(title);
    for (const name of propertyNames(schema)) t.regex(section, new RegExp(`\\b${name}\\b`));
  });
}

/** The section of a command; stopp, rm and rmp share one with stop. */
function sectionOfCommand(name: string): string {
  return sectionOf(`\`subroot ${['stopp', 'rm', 'rmp'].includes(name) ? 'stop' : name}`);
}

test('docs/cli.md has a section for every command, with all its flags, short ones too, and no flag that it lacks', async (t) => {
  for (const {name, load} of commands) {
    const section = sectionOfCommand(name);
    t.true(section.includes(`\`subroot ${name}`) || section.includes(`\`${name}\``), name);
    const {options} = await load();
    for (const [flag, {alias}] of Object.entries(options)) {
      t.regex(section, new RegExp(`--${flag}\\b`), `${name} --${flag}`);
      for (const short of [alias ?? []].flat()) t.regex(section, new RegExp(`\`-${short}\\b`), `${name} -${short}`);
    }
  }
  const known = new Set<string>(Object.keys(globalOptions));
  for (const {load} of commands) for (const flag of Object.keys((await load()).options)) known.add(flag);
  for (const [, flag = ''] of page.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g))
    t.true(known.has(flag) || flag === 'version' || flag === 'help', flag);
});

test('docs/cli.md names every flag of all commands and every exit code', (t) => {
  for (const name of Object.keys(globalOptions)) t.true(page.includes(`\`--${name}`), name);
  for (const code of Object.values(startExitCodes))
    t.regex(sectionOf('Exit codes'), new RegExp(`^\\| ${code} \\|`, 'm'));
  for (const code of Object.values(exitCodes)) t.regex(sectionOf('Exit codes'), new RegExp(`^\\| ${code} \\|`, 'm'));
});

test('the published schema of reports is the one that the program prints', (t) => {
  const published = readFileSync(new URL('../../docs/check-report.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(reportSchema)));
});
