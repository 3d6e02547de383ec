import test from 'ava';
import {podOf} from '../../src/node/pod-input.ts';

test('a misspelt field of a pod is an error that names it and the nearest one', (t) => {
  t.throws(() => podOf({comand: ['id']} as never), {
    code: 'SUBROOT_USAGE',
    message: /^the pod: spec\.containers\[0\]\.comand: unknown field, did you mean command\?\n/,
  });
});
