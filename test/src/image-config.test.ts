import test from 'ava';
import {type ImageConfig, mergeImageConfig, type ProgramRequest} from '../../src/runtime/image-config.ts';

const image: ImageConfig = {
  Entrypoint: ['/ep', 'e1'],
  Cmd: ['c1', 'c2'],
  Env: ['PATH=/image/bin', 'LANG=C', 'WITH=a=b', 'bare', '=x'],
  WorkingDir: '/srv',
  User: '1000:1000',
  StopSignal: 'SIGQUIT',
};

// The table of the Kubernetes page "Define a Command and Arguments for a Container", and images with one of the two.
for (const [what, request, config, argv] of [
  ['nothing of the pod', {}, image, ['/ep', 'e1', 'c1', 'c2']],
  ['command', {command: ['/own']}, image, ['/own']],
  ['args', {args: ['a']}, image, ['/ep', 'e1', 'a']],
  ['both', {command: ['/own'], args: ['a']}, image, ['/own', 'a']],
  ['empty lists', {command: [], args: []}, image, ['/ep', 'e1', 'c1', 'c2']],
  ['an image with Cmd only', {}, {Cmd: ['sh']}, ['sh']],
  ['args over an image with Cmd only', {args: ['ls']}, {Cmd: ['sh']}, ['ls']],
  ['an image with null', {}, {Entrypoint: null, Cmd: null}, []],
  ['an image that says nothing', {args: ['ls']}, undefined, ['ls']],
] as const satisfies readonly (readonly [string, ProgramRequest, ImageConfig | undefined, readonly string[]])[]) {
  test(`argv with ${what}`, (t) => {
    t.deepEqual(mergeImageConfig(request, config).argv, argv);
  });
}

test('variables of the pod win over the image’s, and the image’s have the value up to the end', (t) => {
  const {env} = mergeImageConfig(
    {
      envs: [
        {key: 'LANG', value: 'de'},
        {key: 'NEW', value: ''},
      ],
    },
    image,
  );
  t.deepEqual(
    [...env],
    [
      ['PATH', '/image/bin'],
      ['LANG', 'de'],
      ['WITH', 'a=b'],
      ['NEW', ''],
    ],
  );
});

test('folder, user and stop signal: the pod’s, else the image’s, else the default', (t) => {
  t.like(mergeImageConfig({}, image), {workingDir: '/srv', user: '1000:1000', stopSignal: 'QUIT'});
  t.like(mergeImageConfig({workingDir: '/w', stopSignal: 'INT'}, image), {workingDir: '/w', stopSignal: 'INT'});
  t.deepEqual(mergeImageConfig({}), {argv: [], env: new Map(), workingDir: '/', stopSignal: 'TERM'});
});
