import {readFileSync, writeFileSync} from 'node:fs';
import test from 'ava';
import {parse} from 'yaml';
import {type ReportFormat, renderReport, reportFormats} from '../../src/check/reports/render-report.ts';
import type {Outcome} from '../../src/check/result.ts';
import {verdictOf, verdictOfAll} from '../../src/check/verdict.ts';
import {madeUpReport} from './made-up-report.ts';
import {readXml, type XmlElement} from './read-xml.ts';

const one = [madeUpReport()];
const two = [madeUpReport(), madeUpReport('podman', ['blocked', 'works', 'by-design'])];

for (const format of reportFormats) {
  for (const [name, reports] of [
    ['one', one],
    ['two', two],
  ] as const) {
    test(`the ${format} report of ${name} is as it was`, async (t) => {
      const text = await renderReport(format, reports);
      const file = new URL(`../fixtures/reports/${name}.${format}`, import.meta.url);
      // Look at the difference before it is kept.
      if (process.env.SUBROOT_WRITE_GOLDEN === '1') writeFileSync(file, text);
      t.is(text, readFileSync(file, 'utf8'));
    });
  }
}

/** Control bytes and what hides text: none may come through, whatever a container wrote. */
const unsafe = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;

for (const format of reportFormats.filter((each) => each !== 'json'))
  test(`nothing that a container wrote can steer a terminal or a page in a ${format} report`, async (t) => {
    const text = await renderReport(format, two);
    t.notRegex(text, unsafe);
    if (format === 'html' || format === 'junit') t.notRegex(text, /<script/);
  });

test('a TAP report has its plan, a point for each check in order, and YAML that parses', async (t) => {
  const lines = (await renderReport('tap', one)).split('\n');
  t.is(lines[0], 'TAP version 14');
  t.is(lines[1], '1..8');
  const points = lines.filter((line) => /^(not )?ok /.test(line));
  t.deepEqual(
    points.map((line) => /^(?:not )?ok (\d+) /.exec(line)?.[1]),
    ['1', '2', '3', '4', '5', '6', '7', '8'],
  );
  t.deepEqual(
    points.filter((line) => line.startsWith('not ok')).map((line) => /- ([\w-]+)/.exec(line)?.[1]),
    ['write-root-0644', 'chown-in-range'],
  );
  t.is(points.filter((line) => / # SKIP (inconclusive|not possible here|by design): /.test(line)).length, 3);
  const blocks = (await renderReport('tap', one)).split(/^ {2}---\n/m).slice(1);
  const read = blocks.map((block) => parse(block.split(/^ {2}\.\.\.$/m)[0]?.replaceAll(/^ {2}/gm, '') ?? ''));
  t.deepEqual(
    read.map(({outcome}) => outcome),
    one[0]?.results.map(({outcome}) => outcome),
  );
  t.is(read[1].arms['treatment-default'].errno, 'EACCES');
});

test('a TAP report of several targets has a subtest for each', async (t) => {
  const text = await renderReport('tap', two);
  t.regex(text, /^1\.\.2$/m);
  t.regex(text, /^not ok 1 - oci:runc$/m);
  t.regex(text, /^ok 2 - podman$/m);
  t.regex(text, /^ {4}1\.\.4$/m);
});

test('with --strict what is inconclusive has failed, in every form that knows failures', async (t) => {
  t.regex(await renderReport('tap', one, {strict: true}), /^not ok 4 - open-by-handle: /m);
  t.regex(await renderReport('junit', one, {strict: true}), /<failure type="inconclusive"/);
  const log = JSON.parse(await renderReport('sarif', one, {strict: true}));
  t.like(log.runs[0].results[3], {ruleId: 'open-by-handle', kind: 'fail', level: 'warning'});
});

test('a JUnit report is well-formed, and its counts are those of its cases', async (t) => {
  const root = readXml(await renderReport('junit', two));
  t.is(root.name, 'testsuites');
  const all = (element: XmlElement, name: string): XmlElement[] => [
    ...(element.name === name ? [element] : []),
    ...element.children.flatMap((child) => all(child, name)),
  ];
  t.is(root.attributes.tests, String(all(root, 'testcase').length));
  t.is(root.attributes.failures, String(all(root, 'failure').length));
  t.is(root.attributes.skipped, String(all(root, 'skipped').length));
  for (const suite of all(root, 'testsuite')) {
    t.is(suite.attributes.tests, String(all(suite, 'testcase').length));
    t.is(suite.attributes.failures, String(all(suite, 'failure').length));
    t.is(suite.attributes.skipped, String(all(suite, 'skipped').length));
    t.regex(suite.attributes.timestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
    t.is(suite.children[0]?.name, 'properties');
  }
});

test('a SARIF report has what the standard requires, and every result points to its rule', async (t) => {
  const log = JSON.parse(await renderReport('sarif', two));
  t.is(log.version, '2.1.0');
  t.is(log.runs.length, 2);
  for (const run of log.runs) {
    const {rules} = run.tool.driver;
    t.is(run.tool.driver.name, 'subroot');
    t.is(new Set(rules.map(({id}: {id: string}) => id)).size, rules.length);
    for (const result of run.results) {
      t.is(rules[result.ruleIndex].id, result.ruleId);
      t.true(['pass', 'fail', 'review', 'notApplicable', 'informational'].includes(result.kind));
      // Section 3.27.10: only `fail` has a level other than none.
      t.is(result.level !== 'none', result.kind === 'fail');
      t.true(result.message.text.length > 0);
      t.regex(result.locations[0].physicalLocation.artifactLocation.uri, /^target\/[\w%./-]+$/);
    }
  }
  t.deepEqual(
    log.runs[0].results.map(({kind}: {kind: string}) => kind),
    ['pass', 'pass', 'fail', 'review', 'notApplicable', 'pass', 'fail', 'informational'],
  );
});

test('the HTML report loads nothing, runs nothing, and is made for readers of every kind', async (t) => {
  for (const reports of [one, two]) {
    const text = await renderReport('html', reports);
    t.notRegex(text, /<script|<link|<img|<iframe|url\(|https?:|@import| on[a-z]+=/);
    for (const landmark of ['<header', '<nav aria-label', '<main id="main"', '<footer'])
      t.true(text.includes(landmark));
    t.regex(text, /<html lang="en">/);
    t.is([...text.matchAll(/<h1/g)].length, 1);
    // Headings go down one step at a time.
    const levels = [...text.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
    levels.reduce((before, level) => {
      t.true(level <= before + 1, `h${before} is followed by h${level}`);
      return level;
    });
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    t.is(new Set(ids).size, ids.length, 'ids are unique');
    for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) t.true(ids.includes(target), `#${target} is there`);
    for (const [, named] of text.matchAll(/aria-labelledby="([^"]+)"/g))
      for (const id of (named ?? '').split(' ')) t.true(ids.includes(id), `${id} is there`);
    t.is([...text.matchAll(/<table/g)].length, [...text.matchAll(/<caption/g)].length);
    // Words, not colours alone, and signs that are not read out.
    t.regex(text, /<span class="bad"><span aria-hidden="true">✘<\/span> not blocked<\/span>/);
    t.regex(text, /<svg [^>]*role="img"/);
    const root = readXml(text.replace(/^<!doctype html>\n/, '').replaceAll(/<meta ([^>]*)>/g, '<meta $1/>'));
    t.is(root.name, 'html');
  }
});

/** Luminance and contrast. Source: WCAG 2.2, relative luminance and contrast ratio. */
function contrast(first: string, second: string): number {
  const luminance = (color: string): number => {
    const digits = color.length === 4 ? [...color.slice(1)].map((digit) => digit + digit) : color.slice(1).match(/../g);
    const [red = 0, green = 0, blue = 0] = (digits ?? []).map((pair) => {
      const value = Number.parseInt(pair, 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test('every colour of the HTML report has a contrast of 4.5 on its grounds, in light, dark and print', async (t) => {
  const text = await renderReport('html', one);
  const palettes = [...text.matchAll(/:root\{([^}]*)\}/g)].map(([, words = '']) =>
    Object.fromEntries([...words.matchAll(/--(\w+):(#\w+)/g)].map(([, name, color]) => [name, color])),
  );
  t.is(palettes.length, 3);
  for (const palette of palettes)
    for (const ground of ['ground', 'panel'])
      for (const name of ['text', 'dim', 'good', 'bad', 'open', 'link'])
        t.true(contrast(palette[name] ?? '', palette[ground] ?? '') >= 4.5, `${name} on ${ground}: ${palette[name]}`);
});

test('a Markdown table has the same number of cells in every row', async (t) => {
  for (const reports of [one, two]) {
    const text = await renderReport('markdown', reports);
    for (const block of text.split('\n\n').filter((each) => each.startsWith('|'))) {
      const cells = block
        .trim()
        .split('\n')
        .map((line) => line.replaceAll('\\|', '').split('|').length);
      t.is(new Set(cells).size, 1, block);
    }
  }
});

test('a run has passed only when something was judged and nothing failed, for each of its targets', (t) => {
  const of = (...outcomes: Outcome[]) => madeUpReport('x', outcomes);
  t.is(verdictOfAll([of('blocked', 'by-design', 'not-possible')]), 'passed');
  t.is(verdictOfAll([of('blocked', 'inconclusive')]), 'passed');
  t.is(verdictOfAll([of('blocked', 'inconclusive')], true), 'failed');
  t.is(verdictOfAll([of('blocked', 'not-possible')], true), 'passed');
  t.is(verdictOfAll([of('blocked', 'broken')]), 'failed');
  t.is(verdictOfAll([of('by-design', 'inconclusive', 'not-possible')]), 'unjudged');
  t.is(verdictOfAll([of()]), 'unjudged');
  t.is(verdictOfAll([]), 'unjudged');
  t.is(verdictOfAll([of('blocked'), of('not-possible')]), 'unjudged');
  t.is(verdictOfAll([of('not-blocked'), of('not-possible')]), 'failed');
  t.is(verdictOf({outcome: 'by-design'}, true), 'shown');
});

test('a format that is asked for is one that there is', (t) => {
  t.deepEqual([...reportFormats] as ReportFormat[], ['tap', 'junit', 'json', 'sarif', 'html', 'markdown']);
});
