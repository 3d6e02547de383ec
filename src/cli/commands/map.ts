import type {IdRange} from '../../../native-free/id-range.ts';
import {defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {requireLinux, usageError} from '../failure.ts';
import {parseNumberWord, parseRange} from '../id-words.ts';
import {type CheckedWrite, checkMaps} from '../map-check.ts';
import {consequenceOf, drawChecks, drawTranslations, type Translation} from '../map-draw.ts';
import {type LoadedLevels, levelsOfProcess, levelsOfTexts, mapText, readMapFile} from '../map-levels.ts';
import {type Direction, translateRange} from '../map-translate.ts';
import type {Output} from '../output.ts';
import {mapCheckSchema, mapSchema} from '../schemas.ts';
import {wiring} from '../wiring.ts';

const podOption = {pod: {type: 'string', requiresArg: true, describe: 'maps of a pod of ours'}} as const;

const options = {
  map: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe:
      'a uid map "INSIDE OUTSIDE COUNT", lines separated by commas; repeat for nested namespaces, outermost first',
  },
  'gid-map': {type: 'string', array: true, requiresArg: true, describe: 'the same for gids'},
  file: {type: 'string', array: true, requiresArg: true, describe: 'a file as /proc/PID/uid_map; repeat as --map'},
  pid: {type: 'string', requiresArg: true, describe: 'maps of a process, with the namespaces between'},
  ...(wiring.findPod === undefined ? {} : podOption),
  'to-host': {type: 'boolean', describe: 'ids are inside; say what they are outside (default)'},
  'to-container': {type: 'boolean', describe: 'ids are outside; say what they are inside'},
  check: {type: 'boolean', describe: 'ask whether the kernel would take these maps; exit code 1 when not'},
  as: {type: 'string', default: '0', requiresArg: true, describe: 'with --check: uid who makes and maps the namespace'},
  from: {
    type: 'string',
    choices: ['parent', 'inside'],
    default: 'parent',
    requiresArg: true,
    describe: 'with --check: where the writer stands',
  },
  setgroups: {
    type: 'string',
    choices: ['allow', 'deny'],
    default: 'allow',
    requiresArg: true,
    describe: 'with --check: written to setgroups before gid_map',
  },
} as const;

/** What the flags say, in the frame's types. */
interface MapFlags {
  readonly map?: readonly string[] | undefined;
  readonly 'gid-map'?: readonly string[] | undefined;
  readonly file?: readonly string[] | undefined;
  readonly pid?: string | undefined;
  readonly pod?: string | undefined;
}

/** `subroot map`: ids through the maps of user namespaces, both ways. Exit code 1 with --check when the kernel would refuse. */
export const mapCommand = defineCommand({
  options,
  schema: {oneOf: [mapSchema, mapCheckSchema]},
  run: async ({flags, words}, context) => {
    const source = flags as MapFlags;
    refuseMixedSources(source);
    if (flags['to-host'] === true && flags['to-container'] === true)
      throw usageError('--to-host and --to-container are opposites', 'give one of them');
    const asked = words.map((word) => parseRange(word, 'an id'));
    if (flags.check === true) {
      const writer = {uid: parseNumberWord(flags.as, '--as'), from: flags.from, setgroups: flags.setgroups};
      return check(source, writer, context.output);
    }
    const direction = flags['to-container'] === true ? 'to-container' : 'to-host';
    const loaded = await load(source, context.root);
    const translations = translate(loaded, asked, direction);
    await context.output.emit(reportOf(loaded, translations, direction), () =>
      drawTranslations(loaded, translations, direction, context.output),
    );
    return exitCodes.ok;
  },
});

function refuseMixedSources(flags: MapFlags): void {
  const hasMaps = flags.map !== undefined || flags['gid-map'] !== undefined;
  const given = [
    ...(hasMaps ? ['--map'] : []),
    ...(flags.file === undefined ? [] : ['--file']),
    ...(flags.pid === undefined ? [] : ['--pid']),
    ...(flags.pod === undefined ? [] : ['--pod']),
  ];
  if (given.length === 0)
    throw usageError('no map to translate through', 'give --map "0 100000 65536", --file FILE or --pid PID');
  if (given.length > 1) throw usageError(`${given.join(' and ')} exclude each other`, 'give one kind of source');
}

async function load(flags: MapFlags, root: string): Promise<LoadedLevels> {
  if (flags.pod !== undefined) return loadPod(flags.pod, root);
  if (flags.pid !== undefined) {
    const pid = parseNumberWord(flags.pid, '--pid');
    requireLinux('subroot map --pid');
    return levelsOfProcess({kind: 'pid', pid}, pid);
  }
  const {file} = flags;
  if (file !== undefined) {
    const texts = file.map(readMapFile);
    return levelsOfTexts({kind: 'file', name: file.join(', ')}, texts, [], (_, index) => file[index] ?? '');
  }
  const flagName = (kind: 'uid' | 'gid') => (kind === 'uid' ? '--map' : '--gid-map');
  return levelsOfTexts(
    {kind: 'map'},
    flags.map ?? [],
    flags['gid-map'] ?? [],
    (kind, index) => `${flagName(kind)} (${index + 1})`,
  );
}

async function loadPod(name: string, root: string): Promise<LoadedLevels> {
  const pod = await wiring.findPod?.(root, name);
  if (pod === undefined) throw usageError(`there is no pod "${name}"`, 'see `subroot pods` for their names');
  return levelsOfProcess({kind: 'pod', name: pod.name, pid: pod.pid}, pod.pid);
}

function translate({levels}: LoadedLevels, asked: readonly IdRange[], direction: Direction): Translation[] {
  return (['uid', 'gid'] as const).flatMap((kind) => {
    const inner = levels.slice(1);
    if (inner.every((level) => level[kind] === undefined)) return [];
    const maps = inner.map((level) => level[kind] ?? []);
    return asked.map((range) => ({kind, asked: range, pieces: translateRange(maps, range, direction)}));
  });
}

const firstLast = (range: IdRange | undefined) =>
  range === undefined ? null : {first: range.start, last: range.start + range.size - 1};

function reportOf(loaded: LoadedLevels, translations: readonly Translation[], direction: Direction): object {
  const {source, levels, notes} = loaded;
  return {
    source: {kind: source.kind, name: source.name ?? null, pid: source.pid ?? null},
    direction,
    levels: levels.map(({level, label, inode, owner, uid, gid}) => ({
      level,
      label,
      inode: inode ?? null,
      owner: owner ?? null,
      uid: uid ?? null,
      gid: gid ?? null,
    })),
    translations: translations.map(({kind, asked, pieces}) => ({
      kind,
      asked: firstLast(asked),
      pieces: pieces.map((piece) => {
        const {shownAs, errno} = consequenceOf(piece, direction);
        return {
          steps: piece.steps.map(({level, range}) => ({level, first: null, last: null, ...firstLast(range)})),
          result: firstLast(piece.result),
          stoppedAt: piece.stoppedAt ?? null,
          shownAs: shownAs ?? null,
          errno: errno ?? null,
        };
      }),
    })),
    notes,
  };
}

interface Writer {
  readonly uid: number;
  readonly from: 'parent' | 'inside';
  readonly setgroups: 'allow' | 'deny';
}

async function check(flags: MapFlags, writer: Writer, output: Output): Promise<number> {
  if (flags.pid !== undefined || flags.pod !== undefined)
    throw usageError('--check is for maps that are not written yet', 'give them with --map or --file');
  const uidTexts = flags.file === undefined ? (flags.map ?? []).map(mapText) : flags.file.map(readMapFile);
  const gidTexts = (flags['gid-map'] ?? []).map(mapText);
  const checks = checkMaps({uidTexts, gidTexts, ...writer});
  const accepted = checks.every((each) => each.accepted);
  const value = {
    writer: {uid: writer.uid, privileged: writer.uid === 0, from: writer.from},
    accepted,
    checks: checks.map(checkValue),
  };
  const where = writer.from === 'parent' ? 'from the namespace around it' : 'from inside';
  const who = `uid ${writer.uid} ${writer.uid === 0 ? 'with all capabilities' : 'without capabilities'}, ${where}`;
  await output.emit(value, () => drawChecks(checks, who, output));
  return accepted ? exitCodes.ok : exitCodes.found;
}

function checkValue(each: CheckedWrite): object {
  const {level, file, accepted, rules, errno, why, mend, warnings} = each;
  return {level, file, accepted, rules, errno: errno ?? null, why: why ?? null, mend: mend ?? null, warnings};
}
