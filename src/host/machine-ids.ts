import {statSync} from 'node:fs';
import {join} from 'node:path';
import {BLOCK_SIZE} from '../../native-free/ids.ts';
import type {ShadowVersion} from '../../native-free/subordinate-ids.ts';
import type {
  Account,
  Group,
  IdSpaceFacts,
  LedgerBlock,
  LiveNamespace,
  LoginDefs,
  PoolTool,
  SubordinateFile,
} from '../doctor/facts.ts';
import {findProgram, readNames, readText} from './machine-files.ts';
import {listLiveNamespaces, listPids} from './machine-namespaces.ts';
import {runQuick} from './machine-run.ts';

/** What is already known and need not be read twice. */
export interface IdSpaceReading {
  /** The state folder; its `ledger` is read. */
  readonly root: string;
  readonly perl?: string | undefined;
  readonly live?: readonly LiveNamespace[];
}

/** Reads who claims ids on this machine. Takes about 20 ms and two short programs (getent); never throws. */
export function readIdSpace(reading: IdSpaceReading): IdSpaceFacts {
  const getent = findProgram('getent');
  const passwd = readDatabase('passwd', getent);
  return {
    accounts: parseAccounts(passwd.text),
    groups: parseGroups(readDatabase('group', getent).text),
    accountsFrom: passwd.from,
    subuid: readSubordinateFile('/etc/subuid'),
    subgid: readSubordinateFile('/etc/subgid'),
    subidSource: parseSubidSource(readText('/etc/nsswitch.conf') ?? ''),
    shadow: shadowVersion(findProgram('newuidmap')),
    loginDefs: parseLoginDefs(readText('/etc/login.defs') ?? ''),
    live: reading.live ?? listLiveNamespaces(listPids(), reading.perl),
    ledger: readLedger(reading.root),
    tools: poolTools(),
  };
}

function readSubordinateFile(path: string): SubordinateFile {
  const stat = statSync(path, {throwIfNoEntry: false});
  const owner = stat === undefined ? undefined : {uid: stat.uid, mode: stat.mode % 0o10000};
  return {path, text: readText(path), owner};
}

function readDatabase(name: 'passwd' | 'group', getent: string | undefined): {text: string; from: 'getent' | 'files'} {
  if (getent !== undefined) {
    const {exitCode, stdout} = runQuick(getent, [name]);
    if (exitCode === 0) return {text: stdout, from: 'getent'};
  }
  return {text: readText(`/etc/${name}`) ?? '', from: 'files'};
}

/** Accounts of passwd(5) text; lines that are none (comments, NIS markers, bad numbers) are left out. */
export function parseAccounts(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , , shell = ''] = line.split(':');
    if (!/^[^+#-]/.test(name) || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return [];
    return [{name, uid: Number(uid), gid: Number(gid), shell}];
  });
}

/** Groups of group(5) text. */
export function parseGroups(text: string): Group[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = ''] = line.split(':');
    return /^[^+#-]/.test(name) && /^\d+$/.test(gid) ? [{name, gid: Number(gid)}] : [];
  });
}

/** The first word of the `subid:` line of nsswitch.conf(5); `files` without one. Source: shadow lib/nss.c. */
export function parseSubidSource(text: string): string {
  return /^\s*subid:\s*([^\s#[]+)/m.exec(text)?.[1] ?? 'files';
}

/** The SUB_UID words of login.defs(5), with shadow's defaults where there are none. */
export function parseLoginDefs(text: string): LoginDefs {
  const value = (word: string, fallback: number): number => {
    const found = new RegExp(String.raw`^\s*${word}\s+(\d+)`, 'm').exec(text)?.[1];
    return found === undefined ? fallback : Number(found);
  };
  return {
    subUidMin: value('SUB_UID_MIN', 100_000),
    subUidMax: value('SUB_UID_MAX', 600_100_000),
    subUidCount: value('SUB_UID_COUNT', 65_536),
  };
}

/** Which reading of the files to expect: the usage of newuidmap names `fd:` since shadow 4.14, the nearest sign of the newer parser. */
function shadowVersion(newuidmap: string | undefined): ShadowVersion {
  if (newuidmap === undefined) return '4.13';
  const {stdout, stderr} = runQuick(newuidmap, []);
  return /fd:/.test(stdout + stderr) ? '4.20' : '4.13';
}

/** Blocks in the ledger of a state folder: one folder per unit of 65536 ids, in it one name `kind,pod,…`. Units of one claim are joined. */
export function readLedger(root: string): IdSpaceFacts['ledger'] {
  const folder = join(root, 'ledger', 'blocks');
  const ownerUid = statSync(folder, {throwIfNoEntry: false})?.uid;
  const units = readNames(folder)
    .filter((name) => /^\d{1,10}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
  const blocks: LedgerBlock[] = [];
  let lastNonce = '';
  for (const first of units) {
    const [name, ...more] = readNames(join(folder, String(first)));
    if (name === undefined) continue;
    const parts = more.length === 0 ? name.split(',') : [];
    const [kind = 'unreadable', pod = ''] = parts.length === 6 ? parts : [];
    const nonce = parts[5] ?? '';
    const before = blocks.at(-1);
    if (before !== undefined && nonce !== '' && nonce === lastNonce && before.first + before.size === first)
      blocks[blocks.length - 1] = {...before, size: before.size + BLOCK_SIZE};
    else blocks.push({first, size: BLOCK_SIZE, kind, pod});
    lastNonce = nonce;
  }
  return {root: join(root, 'ledger'), ownerUid, blocks};
}

const toolPrograms: Readonly<Record<PoolTool, readonly string[]>> = {
  incus: ['incusd', '/opt/incus/bin/incusd', '/usr/libexec/incus/incusd'],
  lxd: ['lxd', '/snap/bin/lxd'],
  'systemd-nspawn': ['systemd-nspawn'],
  'systemd-nsresourced': ['/usr/lib/systemd/systemd-nsresourced'],
  kubelet: ['kubelet'],
  podman: ['podman'],
  docker: ['dockerd'],
};

function poolTools(): PoolTool[] {
  return (Object.keys(toolPrograms) as PoolTool[]).filter((tool) =>
    toolPrograms[tool].some((program) => findProgram(program) !== undefined),
  );
}
