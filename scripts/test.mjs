// Runs all tests and ends with one line: N passed, N failed, N skipped. Exit code 1 when anything failed.
import {spawn} from 'node:child_process';

const files = process.argv.slice(2);
const child = spawn(process.execPath, ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...files], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const counts = {passed: 0, failed: 0, skipped: 0};
const failures = [];
let rest = '';
let open;
child.stdout.setEncoding('utf8').on('data', (text) => {
  rest += text;
  const lines = rest.split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const result = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (result) {
      const [, failed, title] = result;
      open = undefined;
      if (/# (SKIP|TODO)/i.test(title)) {
        counts.skipped++;
        console.log(`skipped  ${title.replace(/# SKIP.*/i, '')}`);
      } else if (failed) {
        counts.failed++;
        open = [`FAILED   ${title}`];
        failures.push(open);
        console.log(open[0]);
      } else counts.passed++;
    } else if (open) open.push(line);
    else if (/^# (?!Subtest)/.test(line) && !/^# (tests|pass|fail|skip)/.test(line)) console.log(line);
  }
});
const progress = setInterval(() => console.log(`… ${counts.passed} passed, ${counts.failed} failed so far`), 20_000);
child.on('close', (code) => {
  clearInterval(progress);
  for (const failure of failures) console.log(`\n${failure.join('\n')}`);
  const total = counts.passed + counts.failed;
  if (total === 0) console.log('no test was run');
  console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exit(code !== 0 || counts.failed > 0 || total === 0 ? 1 : 0);
});
