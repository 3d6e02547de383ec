import type {PodNetwork} from '../../sim/index.ts';
import type {SandboxRecord} from '../runtime/state-store.ts';

/** The network of a pod; what it takes to reach it is loaded at the first probe or hook. */
export function lazyNetwork(root: string, findRecord: () => SandboxRecord): PodNetwork {
  const load = async () => (await import('./pod-network.ts')).networkOf(root, findRecord());
  return {
    http: async (request, signal) => await (await load()).http(request, signal),
    connect: async (host, port, signal) => await (await load()).connect(host, port, signal),
    grpcHealth: async (port, service, signal) => await (await load()).grpcHealth(port, service, signal),
  };
}
