import {Lexer} from 'yaml';
import type {LintFinding, Mark} from './finding.ts';

/** A comment of a file, with the place of its `#`. */
interface Comment extends Mark {
  readonly text: string;
  /** Nothing else stands on its line. */
  readonly alone: boolean;
}

/** `# subroot-lint: disable=a,b`: findings of these rules are left out on these lines. */
export interface Directive extends Mark {
  /** Rule ids as written, or `all`. */
  readonly rules: readonly string[];
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface Directives {
  readonly disabled: readonly Directive[];
  /** Comments that begin as a directive and are none. */
  readonly malformed: readonly Mark[];
}

const word = /#\s*subroot-lint\s*:\s*(.*)$/;
const form = /^(disable|disable-file)\s*=\s*([\w-]+(?:\s*,\s*[\w-]+)*)(?:\s.*)?$/;

/** The directives of a YAML text. What stands in a block of text or in quotes is no comment. Never throws. */
export function yamlDirectives(text: string): Directives {
  return directivesOf(text, yamlComments(text), (lines, index) => endOfBlock(lines, index));
}

/** The directives of a file whose comments are lines that begin with `#`, such as /etc/subuid: each is for the next line. */
export function lineDirectives(text: string): Directives {
  const comments = text.split('\n').flatMap((line, index) => {
    if (!line.startsWith('#')) return [];
    return [{line: index + 1, column: 1, endColumn: line.length + 1, text: line, alone: true}];
  });
  return directivesOf(text, comments, (_, index) => index);
}

/** Whether a directive leaves this finding out. */
export function isDisabled(finding: LintFinding, {disabled}: Directives): boolean {
  return disabled.some(
    ({rules, firstLine, lastLine}) =>
      finding.line >= firstLine &&
      finding.line <= lastLine &&
      (rules.includes('all') || rules.includes(finding.rule)) &&
      // A comment that names no rule must be seen.
      finding.rule !== 'lint-directive',
  );
}

function directivesOf(
  text: string,
  comments: readonly Comment[],
  endOf: (lines: readonly string[], index: number) => number,
): Directives {
  const lines = text.split('\n');
  const disabled: Directive[] = [];
  const malformed: Mark[] = [];
  for (const {text: comment, alone, ...mark} of comments) {
    const said = word.exec(comment)?.[1];
    if (said === undefined) continue;
    const [, what, ids = ''] = form.exec(said.trim()) ?? [];
    if (what === undefined) {
      malformed.push(mark);
      continue;
    }
    const rules = ids.split(',').map((id) => id.trim());
    if (what === 'disable-file') disabled.push({...mark, rules, firstLine: 1, lastLine: lines.length});
    else if (!alone) disabled.push({...mark, rules, firstLine: mark.line, lastLine: mark.line});
    else {
      const index = nextLine(lines, mark.line);
      if (index !== undefined) {
        disabled.push({...mark, rules, firstLine: index + 1, lastLine: endOf(lines, index) + 1});
      }
    }
  }
  return {disabled, malformed};
}

const isEmpty = (line: string) => /^\s*(#.*)?$/.test(line);

/** Index of the first line from there on that holds something. */
function nextLine(lines: readonly string[], from: number): number | undefined {
  const index = lines.findIndex((line, at) => at >= from && !isEmpty(line));
  return index < 0 ? undefined : index;
}

/** Index of the last line of the block that a line begins: all that is indented deeper. */
function endOfBlock(lines: readonly string[], index: number): number {
  const indent = (line: string) => line.length - line.trimStart().length;
  const own = indent(lines[index] ?? '');
  let last = index;
  for (let at = index + 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (isEmpty(line)) continue;
    if (indent(line) <= own) break;
    last = at;
  }
  return last;
}

/** Lexemes that stand for nothing in the text. Source: yaml cst DOCUMENT, FLOW_END. */
const markers: ReadonlySet<string> = new Set(['\u{2}', '\u{18}']);
const scalarMarker = '\u{1F}';

function yamlComments(text: string): Comment[] {
  if (!text.includes('subroot-lint')) return [];
  const comments: Comment[] = [];
  let line = 1;
  let start = 0;
  let offset = 0;
  let inScalar = false;
  for (const lexeme of new Lexer().lex(text)) {
    if (markers.has(lexeme)) continue;
    if (lexeme === scalarMarker) {
      inScalar = true;
      continue;
    }
    if (!inScalar && lexeme.startsWith('#')) {
      const alone = text.slice(start, offset).trim() === '';
      const column = offset - start + 1;
      comments.push({line, column, endColumn: column + lexeme.trimEnd().length, text: lexeme, alone});
    }
    inScalar = false;
    for (let at = lexeme.indexOf('\n'); at >= 0; at = lexeme.indexOf('\n', at + 1)) {
      line += 1;
      start = offset + at + 1;
    }
    offset += lexeme.length;
  }
  return comments;
}
