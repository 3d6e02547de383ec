const sequence = /\x1b\[[0-9;]*m/g;
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u;
const plainAscii = /^[ -~]*$/;
const combining = /\p{M}/u;

/** Columns that a text takes on a terminal: colours none, combining marks none, wide East Asian letters and emoji two. */
export function textWidth(text: string): number {
  if (plainAscii.test(text)) return text.length;
  let width = 0;
  for (const character of text.replaceAll(sequence, '')) {
    if (wide.test(character)) width += 2;
    else if (!combining.test(character)) width += 1;
  }
  return width;
}

/** The text with spaces behind it up to that width; longer text stays as it is. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

/**
 * Words broken into lines of at most `width` columns; a longer word has a line of its own and is never cut. A command in backticks is one
 * word, however long, so that it can be copied.
 */
export function wrap(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.match(/(?:`[^`]*`|[^ ])+/g) ?? ['']) {
    if (line !== '' && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}

/** As `wrap`, with `first` before the first line and as many spaces before the others. */
export function wrapAfter(first: string, text: string, width: number): string[] {
  const indent = textWidth(first);
  return wrap(text, Math.max(20, width - indent)).map(
    (line, index) => (index === 0 ? first : ' '.repeat(indent)) + line,
  );
}

/** Rows of cells under each other, two spaces between; the last cell of a row is wrapped to the width. Cells must be `printable`. */
export function columns(rows: readonly (readonly string[])[], width: number): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.slice(0, -1).entries())
      widths[index] = Math.max(widths[index] ?? 0, textWidth(cell));
  return rows.flatMap((row) => {
    const head = row.slice(0, -1).map((cell, index) => `${pad(cell, widths[index] ?? 0)}  `);
    return wrapAfter(head.join(''), row.at(-1) ?? '', width).map((line) => line.trimEnd());
  });
}
