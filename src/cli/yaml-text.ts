// By name and not by import(): the bundle would have the names of this CommonJS package under `default` only.
import {Document, visit} from 'yaml';
import {escapeInvisible} from './escape-invisible.ts';

/** A value as YAML without a byte that steers a terminal. */
export function yamlOf(value: object): string {
  const document = new Document(value, {aliasDuplicateObjects: false});
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string' && escapeInvisible(scalar.value) !== scalar.value)
        scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return escapeInvisible(document.toString());
}
