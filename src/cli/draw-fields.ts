import {printable} from '../../native-free/errors.ts';
import type {Output} from './output.ts';
import {columns} from './render.ts';

/** A nested value as two columns: the path of each field, and what it is. Moments (`…At`, nanoseconds) are shown as times; what is empty is left out. */
export function drawFields(value: object, {width}: Output): string {
  return columns(
    leavesOf(value, '').map(([path, text]) => [printable(path), printable(text)]),
    width,
  ).join('\n');
}

function leavesOf(value: unknown, path: string): [string, string][] {
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object'))
    return value.length === 0 ? [] : [[path, value.join(' ')]];
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, each]) => leavesOf(each, path === '' ? name : `${path}.${name}`));
  const text = /At$/.test(path) ? momentOf(String(value)) : String(value ?? '');
  return text === '' ? [] : [[path, text]];
}

function momentOf(nanoseconds: string): string {
  return nanoseconds === '0' ? '' : new Date(Number(BigInt(nanoseconds) / 1_000_000n)).toISOString();
}
