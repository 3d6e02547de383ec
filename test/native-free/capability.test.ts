import test from 'ava';
import fc from 'fast-check';
import {
  allCapabilities,
  capabilityMask,
  capabilityNames,
  capabilityNumber,
  defaultCapabilities,
  formatCapabilityMask,
  noCapabilities,
  parseCapabilities,
  parseCapability,
  parseCapabilityMask,
} from '../../native-free/capability.ts';

test('there are 41 capabilities and their numbers are those of the kernel', (t) => {
  t.is(allCapabilities.size, 41);
  t.is(capabilityNumber('CAP_CHOWN'), 0);
  t.is(capabilityNumber('CAP_SETUID'), 7);
  t.is(capabilityNumber('CAP_SYS_ADMIN'), 21);
  t.is(capabilityNumber('CAP_SETFCAP'), 31);
  t.is(capabilityNumber('CAP_MAC_OVERRIDE'), 32);
  t.is(capabilityNumber('CAP_CHECKPOINT_RESTORE'), 40);
  t.is(capabilityMask(allCapabilities), 2n ** 41n - 1n);
});

test('the default set has the mask that containers show', (t) => {
  t.is(defaultCapabilities.size, 14);
  t.is(formatCapabilityMask(defaultCapabilities), '00000000a80425fb');
  t.is(formatCapabilityMask(noCapabilities), '0000000000000000');
});

test('names are read with and without CAP_, in any case', (t) => {
  for (const text of ['CAP_NET_RAW', 'net_raw', 'NET_RAW', 'cap_net_raw'])
    t.is(parseCapability(text), 'CAP_NET_RAW', text);
  for (const text of ['', 'CAP_', 'ALL', 'CAP_CAP_NET_RAW', ' net_raw', 'constructor'])
    t.is(parseCapability(text), undefined, text);
});

test('ALL stands for every capability, and unknown names are told', (t) => {
  t.is(parseCapabilities(['ALL']).capabilities.size, 41);
  t.is(parseCapabilities(['kill', 'all']).capabilities.size, 41);
  const {capabilities, unknown} = parseCapabilities(['kill', 'CAP_KILL', 'FLY', 'chown', 'SWIM']);
  t.deepEqual([...capabilities], ['CAP_KILL', 'CAP_CHOWN']);
  t.deepEqual(unknown, ['FLY', 'SWIM']);
});

test('a mask of a newer kernel keeps its unknown bits apart', (t) => {
  t.deepEqual(parseCapabilityMask('000003ffffffffff'), {capabilities: allCapabilities, unknownBits: 2n ** 41n});
  t.deepEqual(parseCapabilityMask('0x2000'), {capabilities: new Set(['CAP_NET_RAW']), unknownBits: 0n} as never);
  for (const text of ['', '0x', 'g', '-1', '00000000000000000', '1 ']) t.is(parseCapabilityMask(text), undefined, text);
});

test('masks are read back the same', (t) => {
  fc.assert(
    fc.property(fc.subarray([...capabilityNames]), (names) => {
      const capabilities = new Set(names);
      t.deepEqual(parseCapabilityMask(formatCapabilityMask(capabilities)), {capabilities, unknownBits: 0n});
      t.deepEqual(parseCapabilities(names).capabilities, capabilities);
    }),
  );
  t.pass();
});
