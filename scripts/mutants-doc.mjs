// Writes docs/evidence-mutants.md: runs the checks against runtimes with one fault each, and notes which check found which. As root, a minute or two:
//   node --import=tsx scripts/mutants-doc.mjs
import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {allChecks} from '../src/check/checks.ts';
import {runChecks} from '../src/check/engine.ts';
import {found, mutants, openMutant} from '../test/helpers/mutants.ts';
import {mutantsPage} from '../test/helpers/mutants-page.ts';

const root = mkdtempSync(join(tmpdir(), 'subroot-mutants-'));
chmodSync(root, 0o711);
const rows = [];
try {
  // What a fault of the runtime cannot change, and what takes long.
  const checks = allChecks.filter(({id, alone, group}) => !alone && group !== 8 && id !== 'host-id-audit');
  for (const mutant of mutants) {
    const target = await openMutant(mutant, {root});
    try {
      const report = await runChecks(target, {checks, folder: join(root, 'checks'), seed: 'mutants'});
      const by = report.results.filter(({outcome}) => found.includes(outcome)).map(({id}) => id);
      console.log(mutant.id.padEnd(24), by.length, by.slice(0, 4).join(', '));
      rows.push({id: mutant.id, fault: mutant.fault, by});
    } finally {
      await target.close();
    }
  }
  writeFileSync(new URL('../docs/evidence-mutants.md', import.meta.url), mutantsPage(rows));
} finally {
  rmSync(root, {recursive: true, force: true});
}
