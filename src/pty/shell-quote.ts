/**
 * One word for a POSIX shell that reads exactly these bytes: in single quotes nothing has a meaning but the quote itself, which is
 * closed, escaped and opened again. The word must have no zero byte. Source: POSIX.1-2017, Shell Command Language 2.2.2.
 */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
