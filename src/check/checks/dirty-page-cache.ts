import {attack, byDesign, cve} from '../define.ts';

/** Told, and not tried: no exploit is part of this. */
export const dirtyPageCache = byDesign({
  id: 'dirty-page-cache',
  title: 'a bug of the kernel that writes the page cache asks for no id',
  group: 8,
  gain: 'every file that can be opened for reading, written',
  attempt: 'none: it would need an exploit',
  rule: 'CVE-2016-5195 and CVE-2022-0847 wrote pages that several files share, past all permissions',
  references: [cve('CVE-2022-0847'), cve('CVE-2016-5195'), attack('T1068')],
  insteadUse: 'a kernel in which they are fixed',
});
