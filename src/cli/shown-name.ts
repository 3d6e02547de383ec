import {printable} from '../../native-free/errors.ts';

/** How people write the pod: without its namespace when that is `default`. */
export function shownName({name, namespace}: {readonly name: string; readonly namespace: string}): string {
  return printable(namespace === 'default' ? name : `${namespace}/${name}`);
}
