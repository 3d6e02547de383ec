import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {constants} from 'node:os';
import {fileURLToPath} from 'node:url';
import {hostTest} from '../helpers/host-test.ts';

interface Write {
  readonly file?: string;
  readonly map: string;
  readonly offset?: number;
}
interface Vector extends Write {
  readonly name: string;
  readonly writer: 'root-parent' | 'unpriv-parent' | 'self';
  readonly file: string;
  readonly setgroups: string;
  readonly setgroups_result?: string;
  readonly expect: string;
  readonly reads_back: string;
  readonly pre?: readonly Write[];
  readonly pre_results?: readonly string[];
  readonly creds?: {readonly uid: number; readonly gid: number};
}

const fixtures = new URL('../fixtures/uid-map-vectors.json', import.meta.url);
const {vectors} = JSON.parse(readFileSync(fixtures, 'utf8')) as {vectors: readonly Vector[]};
const script = fileURLToPath(new URL('map-vectors.pl', import.meta.url));
const names = new Map(Object.entries(constants.errno).map(([name, number]) => [String(number), name]));
const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');

// The model answers the same table in test/native-free/uid-map-vectors.test.ts: the two must agree.
for (const vector of vectors) {
  hostTest('root')(`this kernel answers as the table says: ${vector.name}`, (t) => {
    const {uid, gid} = vector.creds ?? (vector.writer === 'root-parent' ? {uid: 0, gid: 0} : {uid: 1000, gid: 1000});
    const writes = [...(vector.pre ?? []), vector].map(
      ({file = vector.file, offset = 0, map}) => `${file}:${offset}:${hex(map)}`,
    );
    const argv = [script, vector.writer, String(uid), String(gid), vector.file, vector.setgroups, ...writes];
    const lines = execFileSync('perl', argv, {encoding: 'latin1'}).trimEnd().split('\n');
    const outcomes = lines.filter((line) => !line.startsWith('=')).map((line) => names.get(line) ?? line);
    const expected = [
      ...(vector.setgroups_result ? [vector.setgroups_result] : []),
      ...(vector.pre_results ?? []),
      vector.expect,
    ];
    t.deepEqual(outcomes, expected);
    t.is(Buffer.from(lines.at(-1)?.slice(1) ?? '', 'hex').toString('latin1'), vector.reads_back);
  });
}
