/**
 * The one quoting between us and the agent: a word is percent-encoded UTF-8 in which only these stay as they are
 * (`A-Z a-z 0-9 _ . / : = , + @ -`); the empty word is a lone `%`. A space ends a word, ` ; ` a step, a newline a request,
 * and none of the three can stand inside a word. No shell ever reads it.
 */
const plain = /^[A-Za-z0-9_./:=,+@-]+$/;
const encoder = new TextEncoder();

/** One word as the agent reads it. Any string is allowed; lone surrogates become U+FFFD as in every UTF-8 encoder. */
export function encodeWord(word: string): string {
  if (word === '') return '%';
  if (plain.test(word)) return word;
  let out = '';
  for (const byte of encoder.encode(word)) {
    const character = String.fromCharCode(byte);
    out += plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** The text of a word the agent wrote. Bytes that are no UTF-8 become U+FFFD. */
export function decodeWord(word: string): string {
  if (word === '%') return '';
  if (!word.includes('%')) return word;
  const bytes: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === '%') {
      bytes.push(Number.parseInt(word.slice(i + 1, i + 3), 16));
      i += 2;
    } else bytes.push(word.charCodeAt(i));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** One request line: the head words, then each step after a bare `;`. */
export function encodeRequest(head: readonly string[], steps: readonly (readonly string[])[]): string {
  const parts = [head, ...steps].map((words) => words.map(encodeWord).join(' '));
  return `${parts.join(' ; ')}\n`;
}
