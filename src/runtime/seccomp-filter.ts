import {release} from 'node:os';
import {isAbsolute} from 'node:path';
import {parse} from 'yaml';
import {encodeBpf} from '../../native-free/bpf-code.ts';
import type {CapabilitySet} from '../../native-free/capability.ts';
import type {SecurityProfile} from '../../native-free/cri.ts';
import {defaultSeccompProfile} from '../../native-free/default-seccomp-profile.ts';
import {subrootError} from '../../native-free/errors.ts';
import {parseSeccompProfile, type SeccompProfile} from '../../native-free/seccomp-profile.ts';
import {compileSeccomp, isRefused, type SeccompFacts} from '../../native-free/seccomp-program.ts';
import {isSyscallArchitecture} from '../../native-free/syscalls.ts';
import {readPlainFile} from '../host/image-files.ts';
import type {SeccompFilter} from './sandbox-plan.ts';

/** Docker's own profile has 15 KiB. */
const maxBytes = 1024 * 1024;

/**
 * The filter of a profile for this machine and a container's capabilities. Loaded only for containers that ask for one.
 * Errors: SUBROOT_SECCOMP_PROFILE when its file is not there, is none, or cannot be meant; SUBROOT_SECCOMP_ARCHITECTURE on other architectures.
 */
export function seccompFilterOf(profile: SecurityProfile, capabilities: CapabilitySet): SeccompFilter {
  const architecture = process.arch;
  if (!isSyscallArchitecture(architecture)) throw subrootError('SUBROOT_SECCOMP_ARCHITECTURE', {architecture});
  const {parsed, source} =
    profile.profileType === 'Localhost'
      ? readProfile(profile.localhostRef ?? '')
      : {parsed: defaultSeccompProfile(), source: 'RuntimeDefault'};
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const facts: SeccompFacts = {architecture, kernel: [major, minor], capabilities, source};
  const {program, flags} = compileSeccomp(parsed, facts);
  if (isRefused('execve', parsed, facts)) {
    const why = 'it refuses execve, by which the program of its container is started';
    throw subrootError('SUBROOT_SECCOMP_PROFILE', {source, field: 'syscalls', why});
  }
  return {flags, program: encodeBpf(program)};
}

function readProfile(path: string): {parsed: SeccompProfile; source: string} {
  const refuse = (why: string, cause?: unknown) =>
    subrootError('SUBROOT_SECCOMP_PROFILE', {source: path || '""', field: 'its file', why}, cause);
  if (!isAbsolute(path)) throw refuse('it must be a full path');
  let text: string | undefined;
  try {
    text = readPlainFile(path, maxBytes + 1);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO';
    throw refuse(errno === 'ENOENT' ? 'it is not there' : `it cannot be read (${errno})`, error);
  }
  if (text === undefined) throw refuse('it is no plain file');
  if (text.length > maxBytes) throw refuse(`it has more than ${maxBytes} bytes`);
  let value: unknown;
  try {
    // JSON is a part of YAML, and this reader keeps numbers past 2^53 as they are.
    value = text.trimStart().startsWith('{') ? parse(text, {intAsBigInt: true, maxAliasCount: 0}) : undefined;
  } catch (error) {
    throw refuse(`it is not JSON: ${error instanceof Error ? error.message.split('\n')[0] : error}`, error);
  }
  if (value === undefined) throw refuse('it is not JSON: it does not begin with {');
  return {parsed: parseSeccompProfile(value, path), source: path};
}
