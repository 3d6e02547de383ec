import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import test from 'ava';
import {impossibleProjections, impossibleVolumes} from '../../sim/volume-types.ts';
import {commands} from '../../src/cli/commands.ts';
import {hostTest} from '../helpers/host-test.ts';
import {findDifference} from './compare.ts';
import {type Consumer, makeConsumer, repository, runIn, runScript} from './consumer.ts';
import {anchorsOf, commandsOf, moduleOf, printedBy, readPages} from './pages.ts';

const pages = readPages();
const run = <Name extends string>(name: Name) =>
  pages.filter(({blocks}) => blocks.some(({language}) => language === name));
const slugOf = (path: string) => path.replaceAll(/[/.]/g, '-');

let consumer: Consumer;
/** The script that runs a command line as Anna. */
let anna: string;
test.before(async () => {
  consumer = await makeConsumer();
  anna = asAnna();
});
test.after.always(async () => {
  await consumer?.cleanup();
});

// ── commands

/** A user who is not root and has four blocks of subordinate ids, in a mount namespace of its own: no file of the machine changes. */
function asAnna(): string {
  const files = {
    passwd: 'anna:x:12345:12345::/:/bin/sh\n',
    subuid: 'anna:300000:262144\n',
    subgid: 'anna:300000:262144\n',
  };
  const folder = join(consumer.folder, 'anna');
  mkdirSync(folder, {recursive: true});
  for (const [name, line] of Object.entries(files))
    writeFileSync(join(folder, name), name === 'passwd' ? readFileSync('/etc/passwd', 'utf8') + line : line);
  const binds = Object.keys(files).map(
    (name) => `[ -e /etc/${name} ] || : > /etc/${name}; mount --bind ${folder}/${name} /etc/${name}`,
  );
  const script = join(folder, 'run');
  writeFileSync(
    script,
    `#!/bin/sh\nset -e\n${binds.join('\n')}\nexec setpriv --reuid 12345 --regid 12345 --clear-groups sh -c "$1"\n`,
  );
  chmodSync(script, 0o755);
  return script;
}

for (const {path, blocks} of run('console')) {
  hostTest(
    'root',
    'userns',
    'newuidmap',
    'setpriv',
  )(`${path}: every command answers as it says`, async (t) => {
    const state = join(consumer.folder, 'state', slugOf(path));
    mkdirSync(join(consumer.folder, 'state'), {recursive: true});
    chmodSync(join(consumer.folder, 'state'), 0o1777);
    for (const block of blocks.filter(({language}) => language === 'console')) {
      const isAnna = block.words.includes('as-anna');
      const env = {SUBROOT_ROOT: isAnna ? `${state}-anna` : state};
      for (const {command, output: documented} of commandsOf(block)) {
        const [file = '', ...args] = isAnna ? ['unshare', '--mount', anna, command] : ['bash', '-c', command];
        const {output} = await runIn(consumer, file, args, {env});
        const problem = findDifference(documented, output, {exact: block.words.includes('exact')});
        t.is(problem, undefined, `${path}:${block.line}: $ ${command}\n${output}`);
      }
    }
    for (const env of [{SUBROOT_ROOT: state}])
      t.is((await runIn(consumer, 'subroot', ['pods', '-q'], {env})).output, '');
  });
}

test('shell blocks are make targets that there are', (t) => {
  const targets = execFileSync('make', ['help'], {cwd: repository, encoding: 'utf8'});
  for (const {path, blocks} of pages) {
    for (const {language, text, line} of blocks) {
      if (language !== 'sh') continue;
      for (const command of text.trim().split('\n')) {
        const [, target = ''] = /^make ([a-z]+)(?: .*)?$/.exec(command) ?? [];
        t.regex(targets, new RegExp(`make ${target || '!'}\\b`), `${path}:${line}: ${command}`);
      }
    }
  }
});

test('every block is of a kind that is tested', (t) => {
  const known = ['console', 'ts', 'sh', 'text', 'yaml'];
  for (const {path, blocks} of pages)
    for (const {language, line} of blocks) t.true(known.includes(language), `${path}:${line}: ${language}`);
});

// ── snippets

for (const {path, blocks} of run('ts')) {
  hostTest('root', 'userns')(`${path}: every snippet prints what it says`, async (t) => {
    const snippets = blocks.filter(({language}) => language === 'ts');
    mkdirSync(join(consumer.folder, 'snippets'), {recursive: true});
    await Promise.all(
      snippets.map(async (block) => {
        const name = `${slugOf(path)}-${block.line}`;
        const file = join('snippets', `${name}.ts`);
        writeFileSync(join(consumer.folder, file), moduleOf(block));
        const env = {SUBROOT_ROOT: join(consumer.folder, 'state', name)};
        const {exitCode, output} = await runScript(consumer, [file], {env});
        t.is(exitCode, 0, `${path}:${block.line}\n${output}`);
        t.is(findDifference(printedBy(block), output), undefined, `${path}:${block.line}\n${output}`);
      }),
    );
  });
}

test('all snippets and examples have the right types in a project that has subroot installed', async (t) => {
  const folder = join(consumer.folder, 'typed');
  mkdirSync(folder, {recursive: true});
  for (const {path, blocks} of run('ts'))
    for (const block of blocks.filter(({language}) => language === 'ts'))
      writeFileSync(join(folder, `${slugOf(path)}-${block.line}.ts`), moduleOf(block));
  const settings = {extends: '../tsconfig.json', include: ['.', '../examples/**/*.ts']};
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  const tsc = join(repository, 'node_modules/.bin/tsc');
  const {exitCode, output} = await runIn(consumer, tsc, ['-p', 'typed']);
  t.is(exitCode, 0, output);
  writeFileSync(
    join(folder, 'wrong.ts'),
    "import {createNode} from 'subroot';\nexport const wrong: string = await createNode();\n",
  );
  const control = await runIn(consumer, tsc, ['-p', 'typed']);
  t.regex(control.output, /wrong\.ts\(2,14\): error TS2322/);
});

// ── links and lists

for (const page of pages) {
  test(`${page.path}: relative links lead somewhere`, (t) => {
    const links = [...page.text.replace(/^```.*?^```$/gms, '').matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, link = '']) => link,
    );
    for (const link of links) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page.path : join(dirname(page.path), file);
      t.true(existsSync(join(repository, target)), `${link} leads to ${target}`);
      const other = pages.find(({path}) => path === target);
      if (anchor !== undefined && other) t.true(anchorsOf(other).includes(anchor), `${link}: no such heading`);
    }
    t.pass();
  });
}

test('README.md names every command', (t) => {
  const readme = pages.find(({path}) => path === 'README.md')?.text ?? '';
  for (const {name} of commands) t.true(readme.includes(`\`${name}\``), name);
});

test('docs/errors.md is what scripts/errors-doc.mjs makes of the register', (t) => {
  const made = execFileSync(process.execPath, ['--import=tsx', 'scripts/errors-doc.mjs', '--print'], {
    cwd: repository,
    encoding: 'utf8',
  });
  t.is(
    readFileSync(join(repository, 'docs/errors.md'), 'utf8'),
    made,
    'run `node --import=tsx scripts/errors-doc.mjs`',
  );
});

test('docs/troubleshooting.md has every message that explain knows, as scripts/troubleshooting-doc.mjs makes it', (t) => {
  const made = execFileSync(process.execPath, ['--import=tsx', 'scripts/troubleshooting-doc.mjs', '--print'], {
    cwd: repository,
    encoding: 'utf8',
  });
  t.is(
    readFileSync(join(repository, 'docs/troubleshooting.md'), 'utf8'),
    made,
    'run `node --import=tsx scripts/troubleshooting-doc.mjs`',
  );
});

/** The words of a pattern's first group, wherever it matches. */
const wordsOf = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, word = '']) => word);
const read = (path: string) => readFileSync(join(repository, path), 'utf8');

test('docs/how-it-works.md names every step of a plan', (t) => {
  const page = read('docs/how-it-works.md');
  const steps = wordsOf(read('src/host/step.ts'), /readonly \['(\w+)'/g);
  t.true(steps.length > 30);
  for (const step of steps) t.true(page.includes(`\`${step}\``), step);
});

test('docs/pods.md names every field that is refused or not honoured', (t) => {
  const page = read('docs/pods.md');
  const files = readdirSync(join(repository, 'sim')).filter((name) => name.endsWith('-fields.ts'));
  t.true(files.includes('pod-fields.ts') && files.includes('volume-fields.ts'));
  const source = files.map((name) => read(`sim/${name}`)).join('\n');
  const refused = wordsOf(source, /\.refuse\('(\w+)'/g);
  const ignored = wordsOf(source, /notHonoured\(([^;]*)\);/gs).flatMap((words) => wordsOf(words, /'(\w+)'/g));
  const roles = ['init', 'ephemeral'];
  t.true(ignored.length > 10);
  const volumes = [...Object.keys(impossibleVolumes), ...Object.keys(impossibleProjections)];
  t.true(volumes.length > 25);
  for (const field of new Set([...refused, ...ignored, ...volumes].filter((word) => !roles.includes(word))))
    t.regex(page, new RegExp(`\\b${field}\\b`));
});

test('docs/dependencies.md has a sentence for every dependency, and for no other', (t) => {
  const {dependencies, optionalDependencies, devDependencies} = JSON.parse(read('package.json')) as Record<
    string,
    object
  >;
  const names = [dependencies, optionalDependencies, devDependencies].flatMap((list) => Object.keys(list ?? {}));
  const [packages = ''] = read('docs/dependencies.md').split('## Of the system');
  const listed = wordsOf(packages, /^\| ([^|]*?)(?: \(optional\))? \| [^-|]/gm)
    .flatMap((cell) => cell.split(', '))
    .filter((name) => name !== 'package');
  t.deepEqual(listed.sort(), names.sort());
});

hostTest('root', 'userns')('docs/how-it-works.md names every file of the state folder', async (t) => {
  const root = join(consumer.folder, 'state', 'layout');
  const env = {SUBROOT_ROOT: root};
  t.is(
    (await runIn(consumer, 'subroot', ['run', 'examples/shared-folder.yaml', '--image', 'debian=host'], {env}))
      .exitCode,
    0,
  );
  const files = readdirSync(root, {recursive: true, encoding: 'utf8'});
  t.is((await runIn(consumer, 'subroot', ['rm', '--all'], {env})).exitCode, 0);
  const known = wordsOf(read('docs/how-it-works.md'), /^\| (`.*?`) \|/gm)
    .flatMap((cell) => wordsOf(cell, /`([^`]+)`/g))
    .map((path) => path.split('/').map((part) => part.replace(/[A-Z_]{2,}/g, '.+')));
  for (const file of files) {
    const parts = file.split('/');
    // A folder on the way to what is named is known, and so is what an emptyDir holds.
    const isKnown = known.some((path) =>
      path
        .slice(0, parts.length)
        .every((pattern, index) => parts.length <= path.length && new RegExp(`^${pattern}$`).test(parts[index] ?? '')),
    );
    t.true(isKnown || file.includes('kubernetes.io~empty-dir/'), file);
  }
});

hostTest(
  'root',
  'userns',
  'node-pty',
)('docs/picture.svg shows what the session says today', (t) => {
  const text = execFileSync(process.execPath, ['scripts/picture.mjs', '--text'], {cwd: repository, encoding: 'utf8'});
  const drawn = wordsOf(read('docs/picture.svg'), /<text [^>]*>(.*)<\/text>/g)
    .map((line) =>
      line
        .replaceAll(/<[^>]*>/g, '')
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&amp;', '&'),
    )
    .join('\n');
  t.is(findDifference(drawn, text), undefined, 'run `node scripts/picture.mjs`');
});
