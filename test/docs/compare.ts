/**
 * The first difference between documented and real output, as a sentence, or undefined. What differs between two runs is written as
 * it was seen once, and read so:
 *
 * - runs of blanks are one blank, and empty lines at both ends do not count;
 * - a number of three or more digits stands for any number, always the same one for the same, and from five digits on (ids, pids,
 *   inodes) another one for another; 65534, 65535, 65536 and 4294967295 are themselves;
 * - a number of two digits, a decimal and a time (`50.4 ms`, `3s`, 07:59:01) stand for any such;
 * - a hexadecimal id of twelve or more digits stands for any of that length;
 * - `…` at the end of a line stands for the rest of it, alone on a line for any lines.
 */
export function findDifference(
  documented: string,
  real: string,
  options: {readonly exact?: boolean} = {},
): string | undefined {
  const expected = linesOf(documented);
  const actual = linesOf(real);
  const bindings = new Map<string, string>();
  let at = 0;
  for (const [index, line] of expected.entries()) {
    if (line === '…') {
      const next = expected[index + 1];
      if (next === undefined) return undefined;
      while (at < actual.length && !matches(next, actual[at] ?? '', new Map(bindings), options.exact)) at++;
      continue;
    }
    const seen = actual[at++];
    if (seen === undefined) return `the line "${line}" is missing`;
    if (!matches(line, seen, bindings, options.exact)) return `the line "${line}" is "${seen}"`;
  }
  return at < actual.length ? `there is one more line: "${actual[at]}"` : undefined;
}

function linesOf(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '));
}

const itself = new Set(['65534', '65535', '65536', '4294967295']);
const variable = /\b[0-9a-f]{12,}\b|\b\d+(?::\d\d)+\b|\b\d+\.\d+\b(?! ?\.)|\b\d+(?=s\b|m\b|h\b)|\b\d{2,}\b/g;

function matches(expected: string, actual: string, bindings: Map<string, string>, exact = false): boolean {
  const open = expected.endsWith('…');
  const text = open ? expected.slice(0, -1).trimEnd() : expected;
  if (exact) return open ? actual.startsWith(text) : actual === text;
  const values: string[] = [];
  let pattern = '';
  let end = 0;
  for (const {0: value, index} of text.matchAll(variable)) {
    if (itself.has(value)) continue;
    pattern += `${literally(text.slice(end, index))}(${patternOf(value)})`;
    values.push(value);
    end = index + value.length;
  }
  const found = new RegExp(`^${pattern}${literally(text.slice(end))}${open ? '.*' : ''}$`).exec(actual);
  return found !== null && values.every((value, index) => bind(value, found[index + 1] ?? '', bindings));
}

function patternOf(value: string): string {
  if (/^[0-9a-f]{12,}$/.test(value) && /[a-f]/.test(value)) return `[0-9a-f]{${value.length}}`;
  if (value.includes(':')) return '[\\d:]+';
  return value.includes('.') ? '[\\d.]+' : '\\d+';
}

function bind(value: string, actual: string, bindings: Map<string, string>): boolean {
  if (!/^\d{3,}$/.test(value)) return true;
  const bound = bindings.get(value);
  if (bound !== undefined) return bound === actual;
  const isTaken = value.length >= 5 && [...bindings].some(([other, taken]) => other.length >= 5 && taken === actual);
  bindings.set(value, actual);
  return !isTaken;
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
