import type {Operation} from './operation.ts';
import {operationsOnFiles} from './operations-on-files.ts';
import {operationsOnMounts} from './operations-on-mounts.ts';
import {operationsOnNamespaces} from './operations-on-namespaces.ts';
import {operationsOnResources} from './operations-on-resources.ts';

/** Every operation that is known; for a call the first one whose `about` fits is meant, so that the narrow ones come before the wide ones. */
export const operations: readonly Operation[] = [
  ...operationsOnNamespaces,
  ...operationsOnMounts,
  ...operationsOnResources,
  ...operationsOnFiles,
];

const callWords: ReadonlySet<string> = new Set(operations.flatMap(({calls}) => calls));

/** Whether a word is a call or verb of the table. */
export function isCall(word: string): boolean {
  return callWords.has(word.toLowerCase());
}

/** The operation that a call with these words beside it is, or undefined when the table has none. */
export function findOperation(call: string, about: string): Operation | undefined {
  const word = call.toLowerCase();
  return operations.find((each) => each.calls.includes(word) && (each.about === undefined || each.about.test(about)));
}
