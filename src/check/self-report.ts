import {randomBytes} from 'node:crypto';
import {viewFromInside} from '../host/inside-view.ts';
import {machineOf, packageVersion} from '../host/machine-summary.ts';
import {judge, summaryOf} from './engine.ts';
import type {Report} from './result.ts';
import {selfFacts} from './self-checks.ts';
import type {Target} from './target.ts';

/**
 * Judges the container that we are in from inside: reads, and neither makes nor writes anything. `ids` chooses among the checks; all of them
 * without.
 */
export function reportOnSelf(target: Target, ids?: readonly string[]): Report {
  const startedAt = new Date();
  const begin = performance.now();
  const view = viewFromInside();
  const results = selfFacts
    .filter(({check}) => ids === undefined || ids.includes(check.id))
    .map(({check, find}) => judge(check, {kind: 'found', ...find(view)}));
  const {user} = view.namespaces;
  return {
    schema: 'urn:subroot:check-report:1',
    subroot: packageVersion(),
    target: target.description,
    pods: [
      {
        name: 'self',
        pid: process.pid,
        ...(user === undefined ? {} : {userNamespace: user}),
        uids: view.uidMap,
        gids: view.gidMap,
      },
    ],
    machine: machineOf(),
    seed: randomBytes(4).toString('hex'),
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - begin),
    results,
    summary: summaryOf(results),
  };
}
