// Budgets are the pod's own. A user may have so many inotify instances (fs.inotify.max_user_instances), and in most runtimes
// all containers draw on one user's. Here every pod was made by its own base id, so a greedy pod starves only itself.
//
//     node --import=tsx examples/inotify.ts

import {readFileSync} from 'node:fs';
import {createNode} from 'subroot';

// Takes inotify instances until the kernel refuses, says how many it got, and keeps them as long as it lives.
const inotifyInit1 = process.arch === 'arm64' ? 26 : 294;
const greedy = ['perl', '-e', `$| = 1; $n++ while syscall(${inotifyInit1}, 0) >= 0; print $n + 0, " ($!)\\n"; sleep`];
const modest = ['perl', '-e', `print syscall(${inotifyInit1}, 0) >= 0 ? "got one" : "got none ($!)"`];

const limit = readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8').trim();
console.log(`the limit is ${limit}`);

await using node = await createNode();
await using one = await node.runPod({name: 'one', command: greedy});
await using two = await node.runPod({name: 'two', command: greedy});

for (const pod of [one, two]) {
  let said = await pod.logs();
  while (said.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    said = await pod.logs();
  }
  console.log(`pod ${pod.name} took ${said[0]?.text}`);
}
console.log(`another program in pod one ${(await one.$`${modest}`).stdout}`);
await using three = await node.runPod({name: 'three'});
console.log(`a program in pod three ${(await three.$`${modest}`).stdout}`);

/* prints
the limit is 128
pod one took 128 (Too many open files)
pod two took 128 (Too many open files)
another program in pod one got none (Too many open files)
a program in pod three got one
*/
