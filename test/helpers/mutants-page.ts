export interface MutantRow {
  readonly id: string;
  readonly fault: string;
  /** Checks that found it, in the order of the list. */
  readonly by: readonly string[];
}

const head = `# Do the checks notice?

<!-- Made by scripts/mutants-doc.mjs. Change it there and in test/helpers/mutants-page.ts. -->

A check that never fails proves nothing. So there are runtimes that are wrong on purpose: subroot with one step of its plans changed, or with another answer
to a request for a pod. Each has a fault that a runtime could have, and some have had. Every one must be found by at least one check, and the
correct runtime by none; the tests hold both.

| fault | | found by |
|---|---|---|
`;

/** The page, from what the checks found. */
export function mutantsPage(rows: readonly MutantRow[]): string {
  return head + rows.map((row) => `${rowText(row)}\n`).join('');
}

/** At most so many checks are named; the first are the ones that say it best. */
const NAMED = 4;

function rowText({id, fault, by}: MutantRow): string {
  const named = by.slice(0, NAMED).map((each) => `\`${each}\``);
  const more = by.length > NAMED ? [`${by.length - NAMED} more`] : [];
  return `| \`${id}\` | ${fault} | ${[...named, ...more].join(', ')} |`;
}

/** Reads the page: the checks that are named for each fault. */
export function readMutantsPage(text: string): MutantRow[] {
  return text.split('\n').flatMap((line) => {
    const [, id, fault, by] = /^\| `([a-z-]+)` \| (.*) \| (.*) \|$/.exec(line) ?? [];
    if (id === undefined || fault === undefined || by === undefined) return [];
    return [{id, fault, by: [...by.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => name ?? '')}];
  });
}
