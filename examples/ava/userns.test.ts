// Pods in ava's tests. The project's package.json tells ava to read TypeScript:
//
//     "ava": {"extensions": {"ts": "module"}, "nodeArguments": ["--import=tsx"], "workerThreads": false}

import test from 'ava';
import {testWithPod, withNode} from 'subroot/ava';

testWithPod('root in the pod is nobody outside', {command: ['sleep', 'infinity']}, async (t, pod) => {
  const {stdout} = await pod.$`id -u`;
  t.is(stdout, '0');
  const hostId = pod.map.toHost(0);
  t.true(hostId !== undefined && hostId > 0);
});

testWithPod('root may not set the clock', {command: ['sleep', 'infinity']}, async (t, pod) => {
  const {exitCode, stderr} = await pod.$({reject: false})`date --set 2030-01-01`;
  t.is(exitCode, 1);
  t.regex(stderr, /Operation not permitted/);
});

test('two pods have no id in common', async (t) => {
  const node = await withNode(t);
  const one = await node.runPod({});
  const two = await node.runPod({});
  const [a, b] = [one.map.toHost(0) ?? 0, two.map.toHost(0) ?? 0];
  t.true(Math.abs(a - b) >= 65536);
});
