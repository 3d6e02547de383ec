// A process that works on a ledger and is killed, or competes with others. Run by ledger-crash.test.ts, which bundles it.
import {mkdirSync, readlinkSync, symlinkSync, unlinkSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import type {LedgerFs, Owner} from '../../sim/index.ts';
import {Ledger, nodeLedgerFs, seededRandom} from '../../sim/index.ts';

const [task, root = '', argument = ''] = process.argv.slice(2);

function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`);
}

const owner: Owner = {pid: process.pid, startTime: 1, bootId: 'boot-1'};
const isAlive = ({pid}: Owner): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Kills this process ahead of the n-th operation; after the last one when n is greater. */
function deadlyFs(at: number): LedgerFs {
  let operation = 0;
  const wrapped = Object.entries(nodeLedgerFs).map(([name, run]) => [
    name,
    (...args: unknown[]) => {
      operation += 1;
      if (operation === at) process.kill(process.pid, 'SIGKILL');
      return Reflect.apply(run, undefined, args);
    },
  ]);
  return Object.fromEntries(wrapped) as LedgerFs;
}

/** Every kind of step once. What is said after a step is what the survivors may rely on. */
function script(at: number, idsPerPod: number): void {
  const ledger = Ledger.open({
    root,
    owner,
    isAlive,
    idsPerPod,
    pool: {first: idsPerPod, length: 8 * idsPerPod},
    random: seededRandom('script'),
    fs: deadlyFs(at),
  });
  say('opened');
  say('has', 'a', ledger.getOrCreate('a').hostId);
  say('bound', 'b', ledger.getOrCreate('b', {bound: true}).hostId);
  const [first, second] = ledger.claimPrepared(2);
  if (!first || !second) throw new Error('no room');
  say('has', 'c', ledger.assignPrepared(first, 'c').hostId);
  ledger.releasePrepared(second);
  say('releasing', 'a');
  ledger.release('a');
  say('has', 'd', ledger.getOrCreate('d').hostId);
  say('releasing', 'd');
  ledger.sweep({isPodAlive: (uid) => uid !== 'd'});
  ledger.close();
  say('done');
}

/** Many short pods; a witness file per block, made exclusively, shows any two that hold the same one. */
async function compete(rounds: number, name: string): Promise<void> {
  const random = seededRandom(name);
  const witnesses = join(root, '..', 'witnesses');
  mkdirSync(witnesses, {recursive: true});
  const ledger = Ledger.open({root, owner, isAlive, pool: {first: 65_536, length: 24 * 65_536}, random});
  const held: {uid: string; witness: string}[] = [];
  const drop = () => {
    const [pod] = held.splice(random.below(held.length), 1);
    if (!pod) return;
    unlinkSync(pod.witness);
    if (!ledger.release(pod.uid)) say('lost', pod.uid);
  };
  for (let round = 0; round < rounds; round++) {
    const uid = `${name}-${round}`;
    try {
      const bound = random.below(2) === 0;
      const {hostId} = ledger.getOrCreate(uid, {bound});
      const witness = join(witnesses, String(hostId));
      try {
        symlinkSync(`${process.pid} ${bound}`, witness);
      } catch {
        const [pid, wasBound] = readlinkSync(witness).split(' ');
        // The block of a bound pod is free once its process is dead; its witness could not go with it.
        if (wasBound !== 'true' || isAlive({...owner, pid: Number(pid)})) say('overlap', uid, hostId);
      }
      held.push({uid, witness});
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('SUBROOT_POOL_EXHAUSTED'))) say('error', String(error));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (held.length > 0 && (held.length > 3 || random.below(3) > 0)) drop();
    if (random.below(100) === 0) ledger.sweep({isPodAlive: () => true});
    if (random.below(20) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  while (held.length > 0) drop();
  ledger.close();
  say('done');
}

if (task === 'script') script(Number(argument), Number(process.argv[5] ?? 65_536));
else if (task === 'compete') await compete(Number(argument), `pod${process.pid}`);
else throw new Error(`unknown task ${task}`);
