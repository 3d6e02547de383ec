import test from 'ava';
import fc from 'fast-check';
import {formatReference, isDigest, parseImageReference} from '../../native-free/image-reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const valid: readonly (readonly [text: string, full: string])[] = [
  ['debian', 'docker.io/library/debian:latest'],
  ['debian:12', 'docker.io/library/debian:12'],
  ['team/app', 'docker.io/team/app:latest'],
  ['docker.io/debian', 'docker.io/library/debian:latest'],
  ['index.docker.io/team/app:1', 'docker.io/team/app:1'],
  ['quay.io/org/app', 'quay.io/org/app:latest'],
  ['localhost/app:1', 'localhost/app:1'],
  ['localhost:5000/a/b/c:x_y.z-1', 'localhost:5000/a/b/c:x_y.z-1'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  // A port makes it a registry, and the colon after the last slash a tag.
  ['host:5000/app', 'host:5000/app:latest'],
  ['Host/app', 'Host/app:latest'],
  [`debian@${digest}`, `docker.io/library/debian@${digest}`],
  // The digest alone decides.
  [`debian:12@${digest}`, `docker.io/library/debian@${digest}`],
  ['a__b/c--d.e:t', 'docker.io/a__b/c--d.e:t'],
  [`x/${'a'.repeat(243)}:t`, `docker.io/x/${'a'.repeat(243)}:t`],
];

for (const [text, full] of valid) {
  test(`${text.slice(0, 60)} is ${full.slice(0, 80)}`, (t) => {
    const parsed = parseImageReference(text);
    t.true(parsed.ok);
    if (parsed.ok) t.is(formatReference(parsed.reference), full);
  });
}

const invalid: readonly (readonly [text: string, why: RegExp])[] = [
  ['', /it is empty/],
  ['Debian', /Debian is no part of a name/],
  ['a//b', /an empty part/],
  ['/abs', /an empty part/],
  ['a/', /an empty part/],
  ['a:', / is no tag/],
  ['a:b:c', /is no part of a name|is no tag/],
  ['a:.x', /\.x is no tag/],
  [`a:${'t'.repeat(129)}`, /is no tag/],
  ['a@sha256:12', /sha256:12 is no digest/],
  ['a@md5:0123', /is no digest/],
  [`a@${digest.toUpperCase()}`, /is no digest/],
  ['../etc', /is no part of a name|is no host name/],
  ['-a.b/c', /is no host name/],
  ['host:99999/a', /is no host name/],
  ['host:0/a', /is no host name/],
  ['a b', /is no part of a name/],
  ['a\n', /is no part of a name/],
  ['a---/b', /is no part of a name/],
  [`x/${'a'.repeat(250)}`, /at most 255/],
];
for (const [text, why] of invalid) {
  test(`${JSON.stringify(text).slice(0, 60)} is no name of an image`, (t) => {
    const parsed = parseImageReference(text);
    t.false(parsed.ok);
    if (!parsed.ok) t.regex(parsed.why, why);
  });
}

test('any text is a name or is told why not, and what is a name stays the same when it is written out and read again', (t) => {
  const word = fc.oneof(
    fc.string({unit: 'binary'}),
    fc.stringMatching(/^[a-zA-Z0-9.:/@_[\]-]{0,40}$/),
    fc.constantFrom(...valid.map(([text]) => text)),
  );
  fc.assert(
    fc.property(word, (text) => {
      const parsed = parseImageReference(text);
      if (!parsed.ok) return t.not(parsed.why, '');
      const full = formatReference(parsed.reference);
      const again = parseImageReference(full);
      t.true(again.ok, full);
      if (again.ok) t.is(formatReference(again.reference), full);
      // Nothing of it can be a path that leads elsewhere.
      t.false(/\.\.|\/\/|\\|\0/.test(full.replace('[::', '')), full);
    }),
    {numRuns: 2000},
  );
});

test('a digest is its algorithm and its digits, all of them', (t) => {
  t.true(isDigest(digest));
  t.true(isDigest(`sha512:${'a'.repeat(128)}`));
  for (const text of [
    '',
    'sha256:',
    digest.slice(0, -1),
    `${digest}0`,
    `sha512:${'a'.repeat(64)}`,
    'x:1',
    `__proto__:${'a'.repeat(64)}`,
  ])
    t.false(isDigest(text), text);
});
