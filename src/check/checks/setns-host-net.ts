import {setnsOfHost} from '../setns-of-host.ts';

/** Back into a namespace of the host: by its path, by an inherited descriptor, and by a pidfd, which are different rules. */
export const setnsHostNet = setnsOfHost('net', 'network');
