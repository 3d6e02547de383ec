import test from 'ava';
import {drawMatrix, drawReport} from '../../src/cli/draw-report.ts';
import type {Output} from '../../src/cli/output.ts';
import {plainPaint, terminalPaint} from '../../src/cli/paint.ts';
import {madeUpReport} from '../check/made-up-report.ts';

const output = (width: number, color: boolean): Output => ({
  paint: color ? terminalPaint : plainPaint,
  width,
  format: 'table',
  print: () => {},
  note: () => {},
  progress: () => {},
  emit: async () => await Promise.resolve(),
});

test('a report without colour has a sign and words for every outcome', (t) => {
  const text = drawReport(madeUpReport(), output(80, false), false);
  t.notRegex(text, /\x1b/);
  for (const words of [
    '✔ blocked            userns-not-initial',
    '✘ not blocked        write-root-0644',
    '? inconclusive       open-by-handle',
    '– not possible here  load-module',
    '✔ works              mount-tmpfs',
    '✘ broken             chown-in-range',
    '○ by design          proc-cmdline-visible',
  ])
    t.true(text.includes(words), words);
  t.regex(text, /pod a {2}pid 100 {2}user namespace 4026532177 +uids 1442447360-1442512895/);
  t.regex(text, /✘ 1 not blocked, 1 broken, 1 inconclusive, 2 blocked, 1 works, 1 by design, 1 not possible here$/);
});

test('what is not as it should be comes with its reason, its arms and its evidence; what a container wrote is text', (t) => {
  const text = drawReport(madeUpReport(), output(80, false), false);
  t.regex(text, /why {2}the pod wrote \\x1b\[31m<script>/);
  t.regex(text, /control-all +succeeded +open\(secret, O_RDONLY\): fine/);
  t.regex(text, /treatment-all +succeeded/);
  for (const line of text.split('\n')) t.true(line.length <= 100 || /\S{60}/.test(line), line);
});

test('on a wide terminal every check has its title beside it', (t) => {
  const text = drawReport(madeUpReport(), output(120, false), false);
  t.regex(text, /✔ blocked {12}read-root-0600 +a fact about read-root-0600/);
});

test('colours are those of the outcome', (t) => {
  const text = drawReport(madeUpReport(), output(80, true), false);
  t.regex(text, /\x1b\[32m✔ blocked/);
  t.regex(text, /\x1b\[31m✘ not blocked/);
  t.regex(text, /\x1b\[33m\? inconclusive/);
  t.regex(text, /\x1b\[2m○ by design/);
});

test('a run in which nothing was judged does not look like a pass', (t) => {
  t.regex(
    drawReport(madeUpReport('x', ['by-design', 'not-possible']), output(80, false), false),
    /\n\? nothing could be judged here: 1 by design/,
  );
  t.regex(
    drawReport(madeUpReport('x', ['blocked', 'inconclusive']), output(80, false), true),
    /\n✘ 1 inconclusive, 2 blocked$/,
  );
});

test('a matrix has a column a target, and the reasons of what failed', (t) => {
  const text = drawMatrix([madeUpReport(), madeUpReport('podman', ['blocked', 'works'])], output(80, false), false);
  t.regex(text, /^A {2}oci:runc: runc 1\.1\.5\n/);
  t.regex(text, /\nA B {2}Host files\n✔ ✔ {2}read-root-0600\n✘ · {2}write-root-0644\n/);
  t.regex(text, /A ✘ chown-in-range: it ended as broken/);
  t.regex(text, /✘ oci:runc: 1 not blocked.*\npodman: 2 blocked, 1 works$/);
});
