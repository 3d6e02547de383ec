import {readFileSync} from 'node:fs';
import test from 'ava';
import {exitCodes} from '../../src/cli/exit-codes.ts';
import {globalOptions} from '../../src/cli/globals.ts';
import {doctorSchema, errorSchema, idsSchema, mapCheckSchema, mapSchema, versionSchema} from '../../src/cli/schemas.ts';

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');

function sectionOf(title: string): string {
  const start = page.indexOf(`\n## ${title}`);
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
  ['`subroot doctor', doctorSchema],
  ['`subroot version', versionSchema],
] as const;

for (const [title, schema] of sections) {
  test(`docs/cli.md names every JSON field: ${title.replace('`', '')}`, (t) => {
    const section = sectionOf(title);
    for (const name of propertyNames(schema)) t.regex(section, new RegExp(`\\b${name}\\b`));
  });
}

test('docs/cli.md names every flag of every command and every exit code', (t) => {
  for (const name of Object.keys(globalOptions)) t.true(page.includes(`\`--${name}`), name);
  for (const code of Object.values(exitCodes)) t.regex(sectionOf('Exit codes'), new RegExp(`^\\| ${code} \\|`, 'm'));
});
