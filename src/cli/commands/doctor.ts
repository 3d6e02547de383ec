import {printable} from '../../../native-free/errors.ts';
import {diagnose} from '../../doctor/diagnosis.ts';
import type {MachineFacts} from '../../doctor/facts.ts';
import {type Diagnosis, type Finding, type RealMode, realModes, type Severity} from '../../doctor/finding.ts';
import {readMachine} from '../../host/machine.ts';
import {holdsFiles, type MountTry} from '../../host/mount-probe.ts';
import {type CommandContext, defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import type {Output} from '../output.ts';
import {columns, plural, wrapAfter} from '../render.ts';
import {doctorSchema} from '../schemas.ts';
import {type ModeTry, wiring} from '../wiring.ts';

type Tries = readonly (ModeTry & {readonly mode: RealMode})[];

const options = {
  problems: {type: 'boolean', describe: 'leave out what is fine'},
  mounts: {type: 'boolean', describe: 'also try, as root, which mounts can have shifted ids; nothing is attached'},
  ...(wiring.tryMode === undefined
    ? {}
    : {try: {type: 'boolean' as const, describe: 'also make one namespace in each mode that should work'}}),
} as const;

/** `subroot doctor`: what this machine can do. Exit code 0 when a real mode works (with --mode: that one), else 3. */
export const doctorCommand = defineCommand({
  options,
  schema: doctorSchema,
  run: async ({flags}, context) => {
    const facts = await readMachine({root: context.root});
    const diagnosis = diagnose(facts);
    const mounts = flags.mounts === true ? await tryEveryMount(facts) : undefined;
    const tries = 'try' in flags && flags.try === true ? await tryModes(diagnosis, context) : undefined;
    const works = doesWork(diagnosis, tries, context);
    const value = {
      works,
      best: diagnosis.best,
      modes: diagnosis.modes,
      findings: diagnosis.findings,
      ...(tries === undefined ? {} : {tries}),
      ...(mounts === undefined ? {} : {mounts}),
    };
    await context.output.emit(value, () => {
      const text = draw(diagnosis, tries, context.output, flags.problems === true);
      return mounts === undefined ? text : `${drawMounts(mounts, context.output)}\n\n${text}`;
    });
    return works ? exitCodes.ok : exitCodes.host;
  },
});

async function tryEveryMount({mounts, perl}: MachineFacts): Promise<readonly MountTry[]> {
  const {tryMounts} = await import('../../host/mount-probe.ts');
  return tryMounts(mounts, perl?.path);
}

const answerSigns: Readonly<Record<MountTry['answer'], Severity>> = {yes: 'ok', no: 'fail', unknown: 'warn'};

/** The mounts of files, each with whether its ids can be shifted; those of the kernel itself never can, and are only counted. */
function drawMounts(mounts: readonly MountTry[], output: Output): string {
  const rows = mounts
    .filter(({type}) => holdsFiles(type))
    .map(({point, type, answer, why}) => [
      `  ${sign(answerSigns[answer], output)} ${printable(point)}`,
      type,
      answer === 'yes' ? 'ids can be shifted' : `${answer === 'no' ? 'ids cannot be shifted' : 'not known'}: ${why}`,
    ]);
  const others = mounts.length - rows.length;
  return [
    output.paint.strong('Mounts, tried'),
    ...columns(rows, output.width),
    `  ${plural(others, 'mount')} of the kernel's own (proc, sysfs, cgroup …) left out`,
  ].join('\n');
}

async function tryModes(diagnosis: Diagnosis, {root}: CommandContext): Promise<Tries> {
  const {tryMode} = wiring;
  if (tryMode === undefined) return [];
  const tries: Tries[number][] = [];
  for (const mode of realModes) if (diagnosis.modes[mode].works) tries.push({mode, ...(await tryMode(mode, root))});
  return tries;
}

function doesWork(diagnosis: Diagnosis, tries: Tries | undefined, {mode}: CommandContext): boolean {
  const asked = mode === 'auto' ? realModes : [mode];
  return asked.some((each) => {
    const tried = tries?.find((one) => one.mode === each);
    return diagnosis.modes[each].works && tried?.works !== false;
  });
}

const signs: Readonly<Record<Severity, string>> = {ok: '✔', warn: '▲', fail: '✘'};

const modeWords: Readonly<Record<RealMode, string>> = {
  host: 'as root: maps are written directly',
  subid: 'unprivileged: newuidmap and newgidmap write the maps',
  single: 'unprivileged: one id only',
};

function draw(diagnosis: Diagnosis, tries: Tries | undefined, output: Output, problemsOnly: boolean): string {
  const {paint} = output;
  const lines = [paint.strong('Modes')];
  for (const mode of realModes) lines.push(...drawMode(mode, diagnosis, output));
  lines.push(`  ${paint.good(signs.ok)} simulated  always works, and is never shown as real`);
  for (const {mode, works, observed} of tries ?? [])
    lines.push(...wrapAfter(`  ${sign(works ? 'ok' : 'fail', output)} tried ${mode}: `, observed, output.width));
  const shown = diagnosis.findings.filter(({severity}) => !problemsOnly || severity !== 'ok');
  for (const group of groupsOf(shown)) {
    lines.push('', paint.strong(group.title));
    for (const finding of group.findings) lines.push(...drawFinding(finding, output));
  }
  const count = (severity: Severity) => diagnosis.findings.filter((each) => each.severity === severity).length;
  lines.push(
    '',
    `${plural(count('ok'), 'fact')} fine, ${plural(count('warn'), 'warning')}, ${plural(count('fail'), 'failure')}.`,
  );
  return lines.join('\n');
}

function sign(severity: Severity, {paint}: Output): string {
  const color = severity === 'ok' ? paint.good : severity === 'warn' ? paint.warn : paint.bad;
  return color(signs[severity]);
}

function drawMode(mode: RealMode, diagnosis: Diagnosis, output: Output): string[] {
  const {works, stoppedBy} = diagnosis.modes[mode];
  const auto = diagnosis.best === mode ? '; --mode auto takes it' : '';
  const text = works ? `works (${modeWords[mode]})${auto}` : `does not work: ${stoppedBy.join(', ')}`;
  return wrapAfter(`  ${sign(works ? 'ok' : 'fail', output)} ${mode.padEnd(9)}  `, text, output.width);
}

interface FindingGroup {
  readonly title: string;
  readonly findings: readonly Finding[];
}

/** By the modes they affect: all first, then each alone, then combinations, then those that no mode needs. */
function groupsOf(findings: readonly Finding[]): FindingGroup[] {
  const titles: readonly (readonly [key: string, title: string])[] = [
    ['host,subid,single', 'Every real mode'],
    ['host', 'Mode host'],
    ['subid', 'Mode subid'],
    ['single', 'Mode single'],
    ['host,subid', 'Modes host and subid'],
    ['subid,single', 'Modes subid and single'],
    ['host,single', 'Modes host and single'],
    ['', 'No mode depends on these'],
  ];
  return titles.flatMap(([key, title]) => {
    const members = findings.filter(({affects}) => affects.join(',') === key);
    return members.length === 0 ? [] : [{title, findings: members}];
  });
}

function drawFinding(finding: Finding, output: Output): string[] {
  const {id, severity, layer, found, expected, mend} = finding;
  const lines = wrapAfter(`  ${sign(severity, output)} ${id}: `, found, output.width);
  if (lines[0] !== undefined) lines[0] = lines[0].replace(`${id}:`, output.paint.strong(`${id}:`));
  if (severity === 'ok') return lines;
  lines.push(
    ...wrapAfter('      layer     ', layer, output.width),
    ...wrapAfter('      expected  ', expected, output.width),
  );
  if (mend !== undefined) lines.push(...wrapAfter('      to mend   ', mend, output.width));
  return lines;
}
