import {FieldReader, Findings} from './field-reader.ts';
import type {Handler} from './life.ts';
import {readHandler} from './life-fields.ts';
import {treeOf} from './manifest-tree.ts';

/** The handler that a container's annotation holds; undefined when it is none: a hook of nobody's making is not run. */
export function preStopOf(text: string): Handler | undefined {
  try {
    const findings = new Findings('annotation');
    const {handler} = readHandler(new FieldReader(treeOf(JSON.parse(text), 'annotation'), '', findings), 'hook');
    return findings.problems.length === 0 && findings.notYet.length === 0 ? handler : undefined;
  } catch {
    return undefined;
  }
}
