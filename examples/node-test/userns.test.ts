// Pods in tests of node:test:
//
//     node --import=tsx --test examples/node-test/userns.test.ts

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {podTest, withNode} from 'subroot/node-test';

await podTest('root in the pod is nobody outside', {command: ['sleep', 'infinity']}, async (pod) => {
  const {stdout} = await pod.$`id -u`;
  assert.equal(stdout, '0');
  assert.ok((pod.map.toHost(0) ?? 0) > 0);
});

await podTest('a service answers inside the pod', {env: {WHO: 'you'}, test: {timeout: 20_000}}, async (pod) => {
  const {stdout} = await pod.$`sh -c ${'echo hello $WHO'}`;
  assert.equal(stdout, 'hello you');
});

await test('two pods have no id in common', async (t) => {
  const node = await withNode(t);
  const one = await node.runPod({});
  const two = await node.runPod({});
  assert.ok(Math.abs((one.map.toHost(0) ?? 0) - (two.map.toHost(0) ?? 0)) >= 65_536);
});
