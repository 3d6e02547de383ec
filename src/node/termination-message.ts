import {closeSync, fstatSync, openSync, readSync} from 'node:fs';
import type {ContainerStatus} from '../../native-free/cri.ts';
import {isTerminationFile} from '../../sim/index.ts';
import {parseLogLine} from '../runtime/log-reader.ts';

/** Bytes of a message, and of a log that stands for one. Source: kubernetes pkg/kubelet/container/runtime.go, 1.36. */
const MAX_MESSAGE = 4096;
const MAX_LOG = 2048;
const MAX_LOG_LINES = 80;

/**
 * The last words of a container that has ended: what it wrote to its termination file, or with `FallbackToLogsOnError` the end of its log
 * when it failed and wrote nothing. Empty when there are none.
 * Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go getTerminationMessage, readLastStringFromContainerLogs, 1.36.
 */
export function terminationMessageOf({state, exitCode, mounts, annotations, logPath}: ContainerStatus): string {
  if (state !== 'CONTAINER_EXITED') return '';
  const file = mounts.find(({hostPath}) => isTerminationFile(hostPath));
  if (!file) return '';
  const message = tailOf(file.hostPath, MAX_MESSAGE).toString('utf8');
  const policy = annotations['io.kubernetes.container.terminationMessagePolicy'];
  if (message !== '' || policy !== 'FallbackToLogsOnError' || exitCode === 0) return message;
  return lastOfLog(logPath);
}

function lastOfLog(path: string): string {
  const lines = tailOf(path, 16 * MAX_LOG)
    .toString('latin1')
    .split('\n');
  const records = lines.flatMap((line) => parseLogLine(line) ?? []).slice(-MAX_LOG_LINES);
  const text = records.map((record) => `${record.text}${record.partial ? '' : '\n'}`).join('');
  return Buffer.from(text, 'latin1').subarray(-MAX_LOG).toString('utf8');
}

/** The last bytes of a file; none when it cannot be read. */
function tailOf(path: string, bytes: number): Buffer {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const {size} = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    const read = readSync(fd, buffer, 0, buffer.length, Math.max(0, size - bytes));
    return buffer.subarray(0, read);
  } catch {
    return Buffer.alloc(0);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
