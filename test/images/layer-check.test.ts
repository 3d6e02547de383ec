import {posix} from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {SubrootError} from '../../native-free/errors.ts';
import {LayerCheck} from '../../src/images/layer-check.ts';
import {type Entry, tarOf} from '../helpers/image-builder.ts';

async function check(tar: Uint8Array, options: {ids?: number; chunk?: number} = {}) {
  const {ids = 65_536, chunk = 65_536} = options;
  const layer = new LayerCheck({layer: 'sha256:test', ids});
  for (let from = 0; from < tar.length; from += chunk) await layer.write(tar.subarray(from, from + chunk));
  return await layer.end();
}

const file = (name: string, more: Partial<Entry> = {}): Entry => ({name, mode: 0o644, content: 'x', ...more});
const link = (name: string, linkname: string): Entry => ({name, type: 'symlink', linkname});

const hostile: readonly (readonly [title: string, entries: readonly Entry[], why: RegExp])[] = [
  ['a name with a folder above', [file('../outside')], /\.\.\/outside, and it leads to a folder above/],
  ['a name with a folder above in the middle', [file('a/../../outside')], /leads to a folder above/],
  ['an absolute name with a folder above', [file('/../outside')], /leads to a folder above/],
  ['a hard link to a folder above', [{name: 'a', type: 'link', linkname: '../../etc/shadow'}], /hard link to .*above/],
  [
    'a file below a link to an absolute path',
    [link('etc', '/etc'), file('etc/passwd')],
    /etc\/passwd, and it goes through the link etc, which leads to \/etc/,
  ],
  ['a file below a link to a folder above', [link('up', '../..'), file('up/outside')], /goes through the link up/],
  [
    'a link below a link to a folder above',
    [link('up', 'a/../../..'), link('up/x', 'y')],
    /goes through the link up, which leads to a\/\.\.\/\.\.\/\.\./,
  ],
  [
    'a file below a chain of links that ends above',
    [link('a', 'b'), link('b', 'c'), link('c', '..'), file('a/outside')],
    /goes through the link c, which leads to \.\./,
  ],
  [
    'a file below another name of such a link',
    [link('a', '/etc'), {name: 'b', type: 'link', linkname: 'a'}, file('b/passwd')],
    /goes through the link b, which leads to \/etc/,
  ],
  [
    'a hard link to what is below such a link',
    [link('a', '/etc'), {name: 'b', type: 'link', linkname: 'a/shadow'}],
    /b, and it goes through the link a/,
  ],
  ['a file below links in a circle', [link('a', 'b'), link('b', 'a'), file('a/x')], /leads in a circle/],
  ['a whiteout of a folder above', [file('a/.wh...')], /a whiteout of nothing/],
  ['a whiteout of nothing', [file('.wh.')], /a whiteout of nothing/],
  ['a whiteout of itself', [file('.wh..')], /a whiteout of nothing/],
  ['a whiteout below a link to an absolute path', [link('a', '/'), file('a/.wh.etc')], /goes through the link a/],
  ['a path that nobody could remove again', [file(`${'a/'.repeat(1100)}x`)], /more than 1000 folders deep/],
  ['a path that is too long', [file(`${`${'a'.repeat(200)}/`.repeat(16)}x`)], /more than 3000 bytes/],
  [
    'a path that links make too long',
    [link('s', `${'b'.repeat(200)}/`.repeat(12)), link('s/t', `${'c'.repeat(200)}/`.repeat(12)), file('s/t/x')],
    /more than 3000 bytes/,
  ],
];
for (const [title, entries, why] of hostile) {
  test(`a layer is refused: ${title}`, async (t) => {
    await t.throwsAsync(check(await tarOf(entries)), {
      instanceOf: SubrootError,
      code: 'SUBROOT_IMAGE_UNSAFE',
      message: why,
    });
  });
}

test('owners that a pod has no id for are refused, in every way of writing them', async (t) => {
  const ids = {code: 'SUBROOT_IMAGE_IDS'} as const;
  await t.throwsAsync(check(await tarOf([file('a', {uid: 65_536})])), {...ids, message: /uid 65536.*ids 0 to 65535/});
  await t.throwsAsync(check(await tarOf([file('a', {gid: 70_000})])), {...ids, message: /gid 70000/});
  await t.throwsAsync(check(await tarOf([file('a', {pax: {uid: '4294967294'}})])), {...ids, message: /uid 4294967294/});
  await t.throwsAsync(check(await tarOf([file('a', {pax: {gid: '-1'}})])), ids);
  await t.notThrowsAsync(check(await tarOf([file('a', {uid: 65_535, gid: 65_535})])));
  await t.notThrowsAsync(check(await tarOf([file('a', {uid: 100_000})]), {ids: 131_072}));
});

test('what builders write is taken: absolute names, links within the layer, links anywhere that nothing goes through', async (t) => {
  const contents = await check(
    await tarOf([
      {name: './', type: 'directory', mode: 0o755},
      file('/etc/passwd'),
      link('lib', 'usr/lib'),
      {name: 'usr/lib', type: 'directory', mode: 0o755},
      file('lib/libc.so'),
      link('etc/mtab', '/proc/mounts'),
      link('var/run', '../run'),
      // A file takes the place of a link, and then nothing is followed.
      link('old', '/etc'),
      {name: 'old', type: 'directory', mode: 0o755},
      file('old/passwd'),
      {name: 'b', type: 'link', linkname: './etc/passwd'},
      {name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666},
      file('a/.wh.gone'),
      file('a/.wh..wh..opq'),
      file('.wh..wh..opq'),
      file('.wh..wh.plnk'),
      file('..data'),
      file('...'),
    ]),
  );
  t.deepEqual(contents.whiteouts, [{folder: 'a', name: 'gone'}, {folder: 'a'}, {folder: ''}]);
  t.deepEqual(contents.devices, ['dev/null']);
});

test('what is no tar is said to be none', async (t) => {
  const invalid = {code: 'SUBROOT_IMAGE_INVALID', message: /it is no tar/} as const;
  await t.throwsAsync(check(Buffer.from('hello, this is no tar at all'.repeat(40))), invalid);
  const whole = await tarOf([file('a', {content: 'x'.repeat(5000)})]);
  await t.throwsAsync(check(whole.subarray(0, 3000)), invalid);
  // Headers without end do not fill the memory: a pax header that says it has 7 GiB.
  const header = Buffer.from(whole.subarray(0, 512));
  header[156] = 'x'.charCodeAt(0);
  header.write('70000000000\0', 124, 'latin1');
  header.fill(' ', 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  const layer = new LayerCheck({layer: 'sha256:test'});
  await t.throwsAsync(async () => {
    await layer.write(header);
    for (let i = 0; i < 64; i++) await layer.write(Buffer.alloc(1024 * 1024));
  }, invalid);
});

const part = fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh..wh..opq');
const path = fc.array(part, {minLength: 1, maxLength: 5}).map((parts) => parts.join('/'));
const entry: fc.Arbitrary<Entry> = fc.oneof(
  path.map((name) => file(`${name}/f`)),
  path.map((name): Entry => ({name: `${name}/d`, type: 'directory', mode: 0o755})),
  fc.tuple(path, path, fc.constantFrom('', '/')).map(([name, target, root]) => link(`${name}/a`, `${root}${target}`)),
  fc.tuple(path, path).map(([name, target]): Entry => ({name: `${name}/b`, type: 'link', linkname: `${target}/a`})),
);

/** What a tar that follows every link would write to, in a folder that begins at /layer: the paths outside of it. */
function escapes(entries: readonly Entry[]): string[] {
  const links = new Map<string, string>();
  const resolve = (start: string, name: string, depth = 0): string => {
    let at = name.startsWith('/') && depth > 0 ? '/' : start;
    for (const piece of name.split('/').filter((each) => each !== '' && each !== '.')) {
      at = piece === '..' ? posix.dirname(at) : posix.join(at, piece);
      const target = links.get(at);
      if (target !== undefined && depth < 50) at = resolve(posix.dirname(at), target, depth + 1);
    }
    return at;
  };
  const out: string[] = [];
  for (const {name, type, linkname: written} of entries) {
    const linkname = written ?? '';
    const cut = name.lastIndexOf('/');
    const folder = resolve('/layer', name.slice(0, Math.max(0, cut)));
    const full = posix.join(folder, name.slice(cut + 1));
    const inside = (where: string) => where === '/layer' || where.startsWith('/layer/');
    if (!inside(full)) out.push(full);
    if (type === 'link') {
      const target = resolve('/layer', linkname.slice(0, linkname.lastIndexOf('/')));
      if (!inside(target)) out.push(target);
      const same = links.get(posix.join(target, linkname.slice(linkname.lastIndexOf('/') + 1)));
      if (same !== undefined) links.set(full, same);
      else links.delete(full);
    } else if (type === 'symlink') links.set(full, linkname);
    else links.delete(full);
  }
  return out;
}

test('no layer that is taken would write outside, even by a tar that follows every link', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, {maxLength: 8}), fc.integer({min: 1, max: 2000}), async (entries, chunk) => {
      const tar = await tarOf(entries);
      try {
        await check(tar, {chunk});
      } catch (error) {
        t.true(error instanceof SubrootError, String(error));
        return;
      }
      t.deepEqual(escapes(entries), [], JSON.stringify(entries));
    }),
    {numRuns: 1500},
  );
});

test('no bytes make the check throw anything but an error of ours, or wait for ever', async (t) => {
  const base = await tarOf([file('a'), link('b', 'a'), {name: 'c', type: 'directory', mode: 0o755}]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), {maxLength: 8}),
      fc.nat(base.length),
      async (changes, length) => {
        const bytes = Buffer.from(base.subarray(0, length));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        await check(bytes).catch((error: unknown) => t.true(error instanceof SubrootError, String(error)));
      },
    ),
    {numRuns: 500},
  );
});
