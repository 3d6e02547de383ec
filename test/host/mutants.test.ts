import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {allChecks} from '../../src/check/checks.ts';
import {runChecks} from '../../src/check/engine.ts';
import {hostTest} from '../helpers/host-test.ts';
import {makeLab} from '../helpers/lab.ts';
import {found, mutants, openMutant} from '../helpers/mutants.ts';
import {mutantsPage, readMutantsPage} from '../helpers/mutants-page.ts';

const rooted = hostTest('linux', 'root', 'userns', 'perl');
const page = readFileSync(new URL('../../docs/evidence-mutants.md', import.meta.url), 'utf8');

rooted('every runtime that is wrong on purpose is found by the checks that the documentation names', async (t) => {
  const rows = readMutantsPage(page);
  t.deepEqual(
    rows.map(({id, fault}) => [id, fault]),
    mutants.map(({id, fault}) => [id, fault]),
    'docs/evidence-mutants.md is what scripts/mutants-doc.mjs makes',
  );
  t.true(page.startsWith(mutantsPage([])));
  const lab = await makeLab(t, {blocks: 64});
  const queue = [...mutants];
  const worker = async () => {
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const {id} = mutant;
      // Those that say it best; the page is made with all.
      const named = rows.find((row) => row.id === id)?.by.slice(0, 2) ?? [];
      t.true(named.length > 0, `${id} is found by something`);
      const target = await openMutant(mutant, lab.options);
      try {
        const checks = allChecks.filter((check) => named.includes(check.id));
        const {results} = await runChecks(target, {
          checks,
          folder: join(lab.root, 'checks'),
          seed: 'mutants',
          timeoutMs: 20_000,
        });
        for (const result of results)
          t.true(found.includes(result.outcome), `${id} is found by ${result.id}: ${result.outcome}: ${result.reason}`);
        t.is(results.length, named.length, `the checks named for ${id} are there`);
      } finally {
        await target.close();
      }
    }
  };
  await Promise.all([worker(), worker()]);
});
