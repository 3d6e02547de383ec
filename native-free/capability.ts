/** All capabilities, at the index that is their number. Source: include/uapi/linux/capability.h, 6.18 (CAP_LAST_CAP 40, since 5.9). */
export const capabilityNames = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

/** One of the 41, as the kernel and OCI spell it. */
export type CapabilityName = (typeof capabilityNames)[number];
/** Capabilities without order, never changed in place. */
export type CapabilitySet = ReadonlySet<CapabilityName>;

/** The empty set. */
export const noCapabilities: CapabilitySet = new Set();
/** All 41. */
export const allCapabilities: CapabilitySet = new Set(capabilityNames);

/** What a container gets unless it asks for more or less: 14 capabilities, mask 0xa80425fb. Source: the OCI/Docker default; facts §9.3. */
export const defaultCapabilities: CapabilitySet = new Set<CapabilityName>([
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
]);

const byName: ReadonlyMap<string, CapabilityName> = new Map(capabilityNames.map((name) => [name, name]));

/** The capability of a name with or without CAP_, in any case (`net_raw`, `CAP_NET_RAW`), or undefined. `ALL` is none: see `parseCapabilities`. */
export function parseCapability(text: string): CapabilityName | undefined {
  const name = text.toUpperCase();
  return byName.get(name) ?? byName.get(`CAP_${name}`);
}

/** The set of a list of names, where `ALL` (any case) stands for every one. Unknown names are returned, in their order, and not thrown. */
export function parseCapabilities(names: readonly string[]): {
  readonly capabilities: CapabilitySet;
  readonly unknown: readonly string[];
} {
  const capabilities = new Set<CapabilityName>();
  const unknown: string[] = [];
  for (const name of names) {
    const capability = parseCapability(name);
    if (capability !== undefined) capabilities.add(capability);
    else if (name.toUpperCase() === 'ALL') for (const each of capabilityNames) capabilities.add(each);
    else unknown.push(name);
  }
  return {capabilities, unknown};
}

/** The number of a capability, 0-40. */
export function capabilityNumber(capability: CapabilityName): number {
  return capabilityNames.indexOf(capability);
}

/** The bit mask of a set, as /proc/PID/status means it. A bigint, since there are more than 32 of them. */
export function capabilityMask(set: CapabilitySet): bigint {
  return capabilityNames.reduce((mask, name, bit) => (set.has(name) ? mask + 2n ** BigInt(bit) : mask), 0n);
}

/** 16 hexadecimal digits, as in the Cap lines of /proc/PID/status. */
export function formatCapabilityMask(set: CapabilitySet): string {
  return capabilityMask(set).toString(16).padStart(16, '0');
}

/** The set of a mask in hexadecimal, with or without 0x, or undefined when it is none. Bits past 40 (a newer kernel's) are in `unknownBits`. */
export function parseCapabilityMask(
  text: string,
): {readonly capabilities: CapabilitySet; readonly unknownBits: bigint} | undefined {
  const digits = /^(?:0[xX])?([0-9a-fA-F]{1,16})$/.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const mask = BigInt(`0x${digits}`);
  const isSet = (bit: number) => (mask / 2n ** BigInt(bit)) % 2n === 1n;
  const capabilities = new Set(capabilityNames.filter((_, bit) => isSet(bit)));
  return {capabilities, unknownBits: mask - capabilityMask(capabilities)};
}
