import type {Errno} from '../../../native-free/errno.ts';
import {errorRegister} from '../../../native-free/error-register.ts';
import {printable} from '../../../native-free/errors.ts';
import {explainCode, isErrorCode} from '../../../native-free/explain/explain-code.ts';
import {explainErrno} from '../../../native-free/explain/explain-errno.ts';
import {explainText, MAX_TEXT_LENGTH} from '../../../native-free/explain/explain-text.ts';
import {operations} from '../../../native-free/explain/operations.ts';
import type {MachineFacts} from '../../doctor/facts.ts';
import {type CommandContext, defineCommand} from '../command.ts';
import {exitCodes} from '../exit-codes.ts';
import {checkAll, drawReport, type ExplainReport, reportValue, type UnknownReport} from '../explain-report.ts';
import {explainPathSchema, explainSchema} from '../explain-schema.ts';
import type {ViewFlags} from '../explain-view.ts';
import {type Question, readQuestion} from '../explain-words.ts';
import {requireLinux, usageError} from '../failure.ts';
import {findNearest} from '../nearest.ts';

const options = {
  errno: {type: 'string', requiresArg: true, describe: 'an errno, by name or number; with --op'},
  op: {type: 'string', requiresArg: true, describe: 'what was refused, such as mount:proc or write:uid_map'},
  pod: {type: 'string', requiresArg: true, describe: 'the word is a path, as this pod sees it'},
  container: {
    alias: 'c',
    type: 'string',
    requiresArg: true,
    describe: 'with --pod: the container; the first by default',
  },
  pid: {type: 'string', requiresArg: true, describe: 'the word is a path, as this process sees it'},
  map: {
    type: 'string',
    requiresArg: true,
    describe: 'the word is a path of this machine, for somebody with this id map ("0 100000 65536")',
  },
  user: {
    type: 'string',
    requiresArg: true,
    describe: 'with a path: UID or UID:GID inside; the own one of the container or process by default',
  },
  offline: {type: 'boolean', describe: 'do not look at this machine'},
} as const;

const MAX_ASKED = 200;

/** `subroot explain`: why a message says what it says, what an errno means for an operation. Exit code 1 when that is not known. */
export const explainCommand = defineCommand({
  options,
  schema: {oneOf: [explainSchema, explainPathSchema]},
  run: async ({flags, words}, context) => {
    const {errno, op, pod, pid, map, user, container} = flags;
    const hasView = [pod, pid, map].some((flag) => flag !== undefined);
    if (!hasView && (user !== undefined || container !== undefined))
      throw usageError('--user and -c go with a path', 'give --pod, --pid or --map too');
    const question = readQuestion(words, {errno, op, hasView});
    if (question.kind === 'path') return aboutPath(question.path, {pod, pid, map, user, container}, context);
    const facts = flags.offline === true ? undefined : await readFacts(context);
    const report = await answer(question, facts, context);
    await context.output.emit(reportValue(report), () => drawReport(report, context.output));
    return report.explanations.length > 0 ? exitCodes.ok : exitCodes.found;
  },
});

async function aboutPath(path: string, flags: ViewFlags, {root, output}: CommandContext): Promise<number> {
  requireLinux('subroot explain PATH');
  const {drawPath, explainPath, pathValue} = await import('../explain-path.ts');
  const report = await explainPath(path, flags, root, output);
  await output.emit(pathValue(report), () => drawPath(report, output));
  return exitCodes.ok;
}

/** What is known of this machine; nothing elsewhere than on Linux. */
async function readFacts({root}: CommandContext): Promise<MachineFacts | undefined> {
  if (process.platform !== 'linux') return undefined;
  const {readMachine} = await import('../../host/machine.ts');
  return await readMachine({root});
}

async function answer(
  question: Exclude<Question, {kind: 'path'}>,
  facts: MachineFacts | undefined,
  context: CommandContext,
): Promise<ExplainReport> {
  if (question.kind === 'code') return aboutCode(question.code, facts);
  if (question.kind === 'errno') return aboutErrno(question, facts);
  return aboutText(question.kind === 'text' ? question.text : await readInput(context), facts);
}

/** All of standard input, of which the end is kept: a log may be long, and its last lines tell. */
async function readInput({output}: CommandContext): Promise<string> {
  if (process.stdin.isTTY) output.progress('reading the message from this terminal; Ctrl-D ends it');
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) text = (text + String(chunk)).slice(-2 * MAX_TEXT_LENGTH);
  if (text.trim() === '')
    throw usageError('there is no message to explain', 'give it as a word in quotes, or on standard input');
  return text;
}

function aboutText(text: string, facts: MachineFacts | undefined): ExplainReport {
  const {explanations, errnos, lookedFor} = explainText(text);
  const asked = printable(text.trim().replaceAll(/\s+/g, ' ').slice(0, MAX_ASKED));
  if (explanations.length > 0) return {kind: 'text', asked, explanations: checkAll(explanations, facts), unknown: null};
  const [errno] = errnos;
  const next = [
    ...(errno === undefined
      ? []
      : [
          `say what was refused: \`subroot explain ${errno} OPERATION\`, as \`subroot explain ${errno} ${exampleOf(errno)}\``,
        ]),
    'see what the machine itself has against it: `subroot doctor --problems`',
    'see which call is refused: `strace -f -e trace=%process,mount,unshare,setns,openat PROGRAM 2>&1 | grep " = -1 " | subroot explain`',
    'look at the kernel log of that moment: `dmesg | tail -n 50 | subroot explain`',
  ];
  const why =
    'no message that is known is in this text, and no call in the form of strace, Node or perror(3); a guess would not help';
  return {kind: 'text', asked, explanations: [], unknown: {why, errnos, lookedFor, next}};
}

function exampleOf(errno: Errno): string {
  return operations.find(({refusals}) => refusals[errno] !== undefined)?.name ?? 'mount proc';
}

function aboutErrno(
  {errno, call, about}: Extract<Question, {kind: 'errno'}>,
  facts: MachineFacts | undefined,
): ExplainReport {
  const asked = [errno, call, about].filter((word) => word !== '').join(' ');
  const {operation, explanations, known} = explainErrno(errno, call, about);
  if (explanations.length > 0)
    return {kind: 'errno', asked: printable(asked), explanations: checkAll(explanations, facts), unknown: null};
  return {
    kind: 'errno',
    asked: printable(asked),
    explanations: [],
    unknown: unknownErrno(errno, call, operation, known),
  };
}

function unknownErrno(
  errno: Errno,
  call: string,
  operation: string | undefined,
  known: readonly Errno[],
): UnknownReport {
  const speaking = [...new Set(operations.filter(({refusals}) => refusals[errno] !== undefined).map(({name}) => name))];
  const base = {errnos: [errno], lookedFor: null};
  if (call === '')
    return {
      ...base,
      why: `${errno} alone has as many meanings as there are calls: name what was refused`,
      next: [
        `operations that answer with ${errno}: ${speaking.join(', ') || 'none that is known'}`,
        ...speaking.slice(0, 1).map((name) => `for example \`subroot explain ${errno} ${name}\``),
      ],
    };
  if (operation === undefined) {
    const calls = [...new Set(operations.flatMap((each) => each.calls))];
    const nearest = findNearest(call, calls);
    return {
      ...base,
      why: `"${printable(call)}" is no operation that is known here`,
      next: [
        ...(nearest === undefined ? [] : [`did you mean \`subroot explain ${errno} ${nearest}\`?`]),
        `operations that answer with ${errno}: ${speaking.join(', ') || 'none that is known'}`,
        'see its man page: `man 2 CALL`',
      ],
    };
  }
  return {
    ...base,
    why: `${operation} is not known to answer with ${errno}`,
    next: [
      `it answers with ${known.join(', ')}`,
      'see which call it was that failed: `strace -f PROGRAM 2>&1 | grep " = -1 " | subroot explain`',
    ],
  };
}

function aboutCode(code: string, facts: MachineFacts | undefined): ExplainReport {
  if (isErrorCode(code))
    return {kind: 'code', asked: code, explanations: checkAll(explainCode(code), facts), unknown: null};
  const codes = Object.keys(errorRegister);
  const nearest = findNearest(code, codes);
  const subject = code.split('_').slice(0, 2).join('_');
  const alike = codes.filter((each) => each.startsWith(`${subject}_`)).slice(0, 8);
  const next = [
    ...(nearest === undefined ? [] : [`did you mean \`subroot explain ${nearest}\`?`]),
    ...(alike.length === 0 ? [] : [`codes of that subject: ${alike.join(', ')}`]),
    'every code is in docs/errors.md',
  ];
  return {
    kind: 'code',
    asked: printable(code),
    explanations: [],
    unknown: {why: `subroot has no error ${printable(code)}`, errnos: [], lookedFor: null, next},
  };
}
