/** One scheme that a server would take, of a WWW-Authenticate header. */
export interface AuthChallenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/;

/**
 * The challenges of a WWW-Authenticate header, in its order; what cannot be read ends the list. Source: RFC 9110 §11.6.1, with quoted
 * strings of RFC 9110 §5.6.4.
 */
export function parseAuthChallenges(header: string): AuthChallenge[] {
  const challenges: {scheme: string; parameters: Record<string, string>}[] = [];
  let rest = header;
  const skip = () => {
    rest = rest.replace(/^[\s,]+/, '');
  };
  const take = (pattern: RegExp): string | undefined => {
    const [found] = pattern.exec(rest) ?? [];
    if (found !== undefined) rest = rest.slice(found.length);
    return found;
  };
  for (skip(); rest !== ''; skip()) {
    const word = take(token);
    if (word === undefined) return challenges;
    const current = challenges.at(-1);
    if (current !== undefined && /^\s*=/.test(rest)) {
      take(/^\s*=\s*/);
      const value = rest.startsWith('"') ? take(/^"(?:[^"\\]|\\.)*"/s) : take(token);
      if (value === undefined) return challenges;
      current.parameters[word.toLowerCase()] = value.startsWith('"')
        ? value.slice(1, -1).replace(/\\(.)/gs, '$1')
        : value;
    } else challenges.push({scheme: word.toLowerCase(), parameters: {}});
  }
  return challenges;
}
