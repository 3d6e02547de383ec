// One pod, a few programs in it, and the proof that its root is nobody outside.
//
//     node --import=tsx examples/plain.ts

import {createNode} from 'subroot';

await using node = await createNode();
await using pod = await node.runPod({command: ['sleep', 'infinity']});

const {stdout: uid} = await pod.$`id -u`;
console.log(`uid ${uid} in the pod is uid ${pod.map.toHost(0)} outside`);

// A value is one word, whatever it holds; no shell reads it. An array is several words.
const words = ['two words', '$HOME', '; rm -rf /'];
const printed = await pod.$`printf %s\\n ${words}`;
console.log(printed.stdout);

// Options and results are execa's. A program that fails rejects, unless it may.
const failing = await pod.$({reject: false, env: {CODE: '3'}})`sh -c ${'exit $CODE'}`;
console.log(`exit code ${failing.exitCode}`);

const proof = await pod.evidence();
console.log(proof.userNamespace.differs ? 'another user namespace' : 'the same user namespace');
console.log(proof.isolated ? 'isolated' : 'NOT isolated');

/* prints
uid 0 in the pod is uid 1442447360 outside
two words
$HOME
; rm -rf /
exit code 3
another user namespace
isolated
*/
