/** The errors of this model's answers: number (generic Linux, as on x86-64 and arm64) and the text of strerror(3). Source: asm-generic/errno*.h; glibc 2.36. */
export const errnoTable = {
  EPERM: [1, 'Operation not permitted'],
  ENOENT: [2, 'No such file or directory'],
  ESRCH: [3, 'No such process'],
  EINTR: [4, 'Interrupted system call'],
  EIO: [5, 'Input/output error'],
  ENXIO: [6, 'No such device or address'],
  E2BIG: [7, 'Argument list too long'],
  ENOEXEC: [8, 'Exec format error'],
  EBADF: [9, 'Bad file descriptor'],
  ECHILD: [10, 'No child processes'],
  EAGAIN: [11, 'Resource temporarily unavailable'],
  ENOMEM: [12, 'Cannot allocate memory'],
  EACCES: [13, 'Permission denied'],
  EFAULT: [14, 'Bad address'],
  EBUSY: [16, 'Device or resource busy'],
  EEXIST: [17, 'File exists'],
  EXDEV: [18, 'Invalid cross-device link'],
  ENODEV: [19, 'No such device'],
  ENOTDIR: [20, 'Not a directory'],
  EISDIR: [21, 'Is a directory'],
  EINVAL: [22, 'Invalid argument'],
  ENFILE: [23, 'Too many open files in system'],
  EMFILE: [24, 'Too many open files'],
  ENOTTY: [25, 'Inappropriate ioctl for device'],
  ETXTBSY: [26, 'Text file busy'],
  EFBIG: [27, 'File too large'],
  ENOSPC: [28, 'No space left on device'],
  ESPIPE: [29, 'Illegal seek'],
  EROFS: [30, 'Read-only file system'],
  EMLINK: [31, 'Too many links'],
  EPIPE: [32, 'Broken pipe'],
  ENAMETOOLONG: [36, 'File name too long'],
  ENOSYS: [38, 'Function not implemented'],
  ENOTEMPTY: [39, 'Directory not empty'],
  ELOOP: [40, 'Too many levels of symbolic links'],
  ENODATA: [61, 'No data available'],
  EOVERFLOW: [75, 'Value too large for defined data type'],
  EUSERS: [87, 'Too many users'],
  EOPNOTSUPP: [95, 'Operation not supported'],
  ETIMEDOUT: [110, 'Connection timed out'],
  EDQUOT: [122, 'Disk quota exceeded'],
} as const satisfies Record<string, readonly [number, string]>;

/** A name of the table. */
export type Errno = keyof typeof errnoTable;

const byNumber: ReadonlyMap<number, Errno> = new Map(
  (Object.keys(errnoTable) as Errno[]).map((name) => [errnoTable[name][0], name]),
);

/** True for the names in the table. */
export function isErrno(name: unknown): name is Errno {
  return typeof name === 'string' && Object.hasOwn(errnoTable, name);
}

/** The number as errno(3) has it, such as 1 for EPERM. */
export function errnoNumber(name: Errno): number {
  return errnoTable[name][0];
}

/** What programs print for it, such as "Operation not permitted". */
export function errnoText(name: Errno): string {
  return errnoTable[name][1];
}

/** The name of a number, or undefined when it is not in the table. Negative numbers are taken as the kernel returns them. */
export function findErrno(value: number): Errno | undefined {
  return byNumber.get(Math.abs(value));
}
