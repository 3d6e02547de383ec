import {cve, expectedOfCapability, nist, tried} from '../define.ts';
import {setxattr, struct} from '../operation.ts';

/** What overlayfs believes about a layer, forged. */
export const trustedXattr = tried(
  'K',
  {
    id: 'trusted-xattr',
    title: 'attributes that the kernel trusts cannot be forged',
    group: 2,
    gain: 'metadata of overlay layers: a file that hides another, or redirects to it',
    attempt: 'setxattr(2) of trusted.overlay.canary on a file of root',
    expected: expectedOfCapability('EPERM', 'EPERM'),
    rule: 'fs/xattr.c xattr_permission(): trusted.* wants capable(CAP_SYS_ADMIN) in the initial user namespace',
    references: [cve('CVE-2021-3493'), nist('3.5.5')],
  },
  {
    prepare: (place) => {
      place.file('layer', {mode: 0o666});
    },
    calls: (place) => [setxattr(place.path('layer'), 'trusted.overlay.canary', struct([1, 4]))],
  },
);
