// Writes native-free/syscall-numbers.ts from the kernel's headers for programs (Debian: linux-libc-dev), by the C preprocessor:
// `node scripts/syscall-numbers.mjs` on x86-64. With --print it only prints.
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';

/** What arch/arm64/include/uapi/asm/unistd.h says before it includes the generic list. */
const arm64 = `#define __BITS_PER_LONG 64
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#define __ARCH_WANT_SYS_CLONE3
#define __ARCH_WANT_MEMFD_SECRET
#include <asm-generic/unistd.h>
`;

/**
 * Calls that are younger than the headers of a stable distribution. From 424 on all architectures have the same numbers.
 * Source: scripts/syscall.tbl and arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.18.
 */
const newer = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
};
const newerX64 = {uretprobe: 335, uprobe: 336};

/** Names that other architectures have and these two have not: a profile may name them, and they mean nothing here. */
const elsewhere = [
  ...['arm_fadvise64_64', 'arm_sync_file_range', 'breakpoint', 'cacheflush', 'set_tls', 'get_tls', 'usr26', 'usr32'],
  ...[
    'sync_file_range2',
    'fstatat64',
    'llseek',
    'pciconfig_iobase',
    'pciconfig_read',
    'pciconfig_write',
    'recv',
    'send',
  ],
  ...[
    'riscv_flush_icache',
    'riscv_hwprobe',
    'rtas',
    's390_guarded_storage',
    's390_pci_mmio_read',
    's390_pci_mmio_write',
  ],
  ...['s390_runtime_instr', 's390_sthyi', 'spu_create', 'spu_run', 'subpage_prot', 'swapcontext', 'switch_endian'],
  ...['sys_debug_setcontext', 'sysmips', 'timerfd', 'multiplexer', 'cachectl', 'osf_getsysinfo'],
];

function numbersOf(source, extra) {
  const text = execFileSync('cc', ['-E', '-dM', '-'], {input: source, encoding: 'utf8'});
  const defined = new Map([...text.matchAll(/^#define (__NR\w+) (\S+)$/gm)].map(([, name, value]) => [name, value]));
  const numbers = new Map(Object.entries(extra));
  for (const name of defined.keys()) {
    if (!name.startsWith('__NR_') || ['__NR_syscalls', '__NR_arch_specific_syscall'].includes(name)) continue;
    let value = defined.get(name);
    while (defined.has(value)) value = defined.get(value);
    if (/^\d+$/.test(value)) numbers.set(name.slice('__NR_'.length), Number(value));
  }
  return numbers;
}

/** Lines of a first number and the names that count on from it. */
function linesOf(numbers) {
  const sorted = [...numbers].sort(([, a], [, b]) => a - b);
  const runs = [];
  let next;
  for (const [name, number] of sorted) {
    const run = runs.at(-1);
    if (number === next && run.join(' ').length + name.length < 118) run.push(name);
    else runs.push([String(number), name]);
    next = number + 1;
  }
  return runs.map((run) => run.join(' '));
}

const x64 = numbersOf('#include <asm/unistd_64.h>\n', {...newer, ...newerX64});
const arm = numbersOf(arm64, newer);
const i386 = numbersOf('#include <asm/unistd_32.h>\n', {});
const others = [...new Set([...i386.keys(), ...elsewhere])].filter((name) => !x64.has(name) && !arm.has(name)).sort();
const wrapped = others.reduce(
  (lines, name) => {
    const last = lines.at(-1);
    if (last.length + name.length < 118) lines[lines.length - 1] = last === '' ? name : `${last} ${name}`;
    else lines.push(name);
    return lines;
  },
  [''],
);

const text = `/**
 * The numbers of system calls, as lines of a first number and the names that count on from it. Made by scripts/syscall-numbers.mjs from the
 * kernel's headers for programs (asm/unistd_64.h, asm-generic/unistd.h) with what is younger than they are, up to Linux 6.18.
 */
export const syscallLists: Readonly<Record<'x64' | 'arm64', string>> = {
  x64: \`
${linesOf(x64).join('\n')}
\`,
  arm64: \`
${linesOf(arm).join('\n')}
\`,
};

/** Names that only other architectures have (asm/unistd_32.h and the like): a profile may name them, and they mean nothing here. */
export const syscallsElsewhere = \`
${wrapped.join('\n')}
\`;
`;

if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(new URL('../native-free/syscall-numbers.ts', import.meta.url), text);
