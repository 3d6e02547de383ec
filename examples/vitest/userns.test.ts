// Pods in Vitest's tests. `pod` and `node` are fixtures: they are made for the tests that name them, and gone after each.

import {podTest} from 'subroot/vitest';
import {describe, expect} from 'vitest';

podTest('root in the pod is nobody outside', async ({pod}) => {
  const {stdout} = await pod.$`id -u`;
  expect(stdout).toBe('0');
  expect(pod.map.toHost(0)).toBeGreaterThan(0);
});

describe('a pod of uid 1000', () => {
  podTest.scoped({podInput: {securityContext: {runAsUser: 1000, runAsGroup: 1000}}});

  podTest('is not root inside either', async ({pod}) => {
    const {stdout} = await pod.$`id -u`;
    expect(stdout).toBe('1000');
  });
});

podTest('two pods have no id in common', async ({node}) => {
  const one = await node.runPod({});
  const two = await node.runPod({});
  expect(Math.abs((one.map.toHost(0) ?? 0) - (two.map.toHost(0) ?? 0))).toBeGreaterThanOrEqual(65_536);
});
