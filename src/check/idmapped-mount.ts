import {call, type Operation, openNamespace} from './operation.ts';

/** Mounts a folder elsewhere with its ids shifted by a pod's user namespace, as a runtime mounts a volume. */
export function idmappedMount(pid: number, source: string, target: string): Operation[] {
  return [
    openNamespace(pid, 'user', {as: 'shift'}),
    call('idmap', [source, target, {of: 'shift'}], `mount(${source}, ${target}, ids shifted)`),
  ];
}
