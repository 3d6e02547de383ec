import type {Errno} from '../errno.ts';
import {printable} from '../errors.ts';
import {explainCode, isErrorCode} from './explain-code.ts';
import {explainErrno} from './explain-errno.ts';
import {type Confidence, type Explanation, explanationsOf} from './explanation.ts';
import {findCalls, findErrnos} from './find-calls.ts';
import {operations} from './operations.ts';
import {symptoms} from './symptoms.ts';

/** Longer texts are read from their end, where the error is. */
export const MAX_TEXT_LENGTH = 256 * 1024;
const MAX_LINE_LENGTH = 8192;
const MAX_SHOWN = 160;

/** What a text says, or that nobody knows it. */
export interface ExplainedText {
  /** The best first. Empty: no message of the table is in the text, and no refused call. Nothing is guessed then. */
  readonly explanations: readonly Explanation[];
  /** The errnos that it names, explained or not. */
  readonly errnos: readonly Errno[];
  /** What was looked for. */
  readonly lookedFor: {readonly messages: number; readonly operations: number};
}

interface Find {
  readonly start: number;
  readonly end: number;
  readonly explanations: readonly Explanation[];
}

/** Why a tool says what it says: the messages of `symptoms`, codes of ours, and refused calls, in any text. Never throws. */
export function explainText(text: string): ExplainedText {
  const clean = tidy(text);
  const finds = [...findMessages(clean), ...findCodes(clean)];
  const outermost = finds.filter((each) => !finds.some((other) => other !== each && isWithin(each, other)));
  const called = findCalls(clean)
    .filter(({start, text: shown}) => !outermost.some((each) => start < each.end && start + shown.length > each.start))
    .flatMap(({call, about, errno}) => explainErrno(errno, call, about).explanations.map(lessSure));
  const ranked = [...outermost]
    .sort((a, b) => b.end - b.start - (a.end - a.start))
    .flatMap(({explanations}) => explanations);
  return {
    explanations: once([...ranked, ...called].sort((a, b) => weight[a.confidence] - weight[b.confidence])),
    errnos: findErrnos(clean),
    lookedFor: {messages: symptoms.length, operations: operations.length},
  };
}

const weight: Readonly<Record<Confidence, number>> = {sure: 0, likely: 1, possible: 2};

/** Without colours, and with the quotes that JSON and Go put a backslash before. */
function tidy(text: string): string {
  return text
    .slice(-MAX_TEXT_LENGTH)
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
    .replace(/\r/g, '')
    .replace(/\\+(["'`])/g, '$1')
    .split('\n')
    .map((line) => (line.length > MAX_LINE_LENGTH ? line.slice(-MAX_LINE_LENGTH) : line))
    .join('\n');
}

function findMessages(text: string): Find[] {
  return symptoms.flatMap(({pattern, causes}) => {
    const match = pattern.exec(text);
    if (match === null) return [];
    const start = match.index;
    return [
      {start, end: start + match[0].length, explanations: explanationsOf(causes, shorten(match[0]), match.groups)},
    ];
  });
}

function findCodes(text: string): Find[] {
  return [...text.matchAll(/\bSUBROOT_[A-Z_]+\b/g)].flatMap((match) => {
    const [code] = match;
    if (!isErrorCode(code)) return [];
    return [{start: match.index, end: match.index + code.length, explanations: explainCode(code)}];
  });
}

function isWithin(inner: Find, outer: Find): boolean {
  const isInside = inner.start >= outer.start && inner.end <= outer.end;
  return isInside && inner.end - inner.start < outer.end - outer.start;
}

/** A call that was found by its shape may be part of something else. */
function lessSure(explanation: Explanation): Explanation {
  return explanation.confidence === 'sure'
    ? {...explanation, confidence: 'likely'}
    : {...explanation, confidence: 'possible'};
}

function once(explanations: readonly Explanation[]): readonly Explanation[] {
  const seen = new Set<string>();
  return explanations.filter(({id}) => {
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}

function shorten(text: string): string {
  const line = printable(text.trim().replaceAll(/\s+/g, ' '));
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
