import {byDesign, nist} from '../define.ts';

/** Told, and not tried: it is the way to the hypervisor. */
export const vsock = byDesign({
  id: 'vsock',
  title: 'sockets to the hypervisor belong to no namespace',
  group: 8,
  gain: 'services of the hypervisor or of other guests that listen on AF_VSOCK',
  attempt: 'none: it would speak to what runs this machine',
  rule: 'net/vmw_vsock/af_vsock.c: no capability is asked for to connect, and there is one address space',
  references: [nist('3.4.2')],
  insteadUse: 'a seccomp profile that refuses AF_VSOCK',
});
