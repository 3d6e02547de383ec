/**
 * The messages of CRI v1 that a target needs, with only the fields that we write or read. Names are those of protobuf-JSON; on the wire
 * the numbers alone count. Source of the numbers: kubernetes/cri-api pkg/apis/runtime/v1/api.proto, 0.36.
 */
const messages: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  VersionRequest: {version: 'string 1'},
  VersionResponse: {
    version: 'string 1',
    runtimeName: 'string 2',
    runtimeVersion: 'string 3',
    runtimeApiVersion: 'string 4',
  },
  StatusRequest: {verbose: 'bool 1'},
  StatusResponse: {status: 'RuntimeStatus 1', runtimeHandlers: '[]RuntimeHandler 3'},
  RuntimeStatus: {conditions: '[]RuntimeCondition 1'},
  RuntimeCondition: {type: 'string 1', status: 'bool 2', reason: 'string 3', message: 'string 4'},
  RuntimeHandler: {name: 'string 1', features: 'RuntimeHandlerFeatures 2'},
  RuntimeHandlerFeatures: {recursiveReadOnlyMounts: 'bool 1', userNamespaces: 'bool 2'},
  IDMapping: {hostId: 'uint32 1', containerId: 'uint32 2', length: 'uint32 3'},
  UserNamespace: {mode: 'NamespaceMode 1', uids: '[]IDMapping 2', gids: '[]IDMapping 3'},
  NamespaceOption: {
    network: 'NamespaceMode 1',
    pid: 'NamespaceMode 2',
    ipc: 'NamespaceMode 3',
    targetId: 'string 4',
    usernsOptions: 'UserNamespace 5',
  },
  PodSandboxMetadata: {name: 'string 1', uid: 'string 2', namespace: 'string 3', attempt: 'uint32 4'},
  LinuxSandboxSecurityContext: {namespaceOptions: 'NamespaceOption 1'},
  LinuxPodSandboxConfig: {cgroupParent: 'string 1', securityContext: 'LinuxSandboxSecurityContext 2'},
  PodSandboxConfig: {
    metadata: 'PodSandboxMetadata 1',
    hostname: 'string 2',
    logDirectory: 'string 3',
    linux: 'LinuxPodSandboxConfig 8',
  },
  RunPodSandboxRequest: {config: 'PodSandboxConfig 1', runtimeHandler: 'string 2'},
  RunPodSandboxResponse: {podSandboxId: 'string 1'},
  StopPodSandboxRequest: {podSandboxId: 'string 1'},
  StopPodSandboxResponse: {},
  RemovePodSandboxRequest: {podSandboxId: 'string 1'},
  RemovePodSandboxResponse: {},
  ListPodSandboxRequest: {},
  ListPodSandboxResponse: {items: '[]PodSandbox 1'},
  PodSandbox: {id: 'string 1', metadata: 'PodSandboxMetadata 2'},
  ImageSpec: {image: 'string 1'},
  Mount: {
    containerPath: 'string 1',
    hostPath: 'string 2',
    readonly: 'bool 3',
    uidMappings: '[]IDMapping 6',
    gidMappings: '[]IDMapping 7',
  },
  KeyValue: {key: 'string 1', value: 'string 2'},
  Capability: {addCapabilities: '[]string 1'},
  LinuxContainerSecurityContext: {
    capabilities: 'Capability 1',
    namespaceOptions: 'NamespaceOption 3',
    maskedPaths: '[]string 13',
    readonlyPaths: '[]string 14',
  },
  LinuxContainerConfig: {securityContext: 'LinuxContainerSecurityContext 2'},
  ContainerMetadata: {name: 'string 1', attempt: 'uint32 2'},
  ContainerConfig: {
    metadata: 'ContainerMetadata 1',
    image: 'ImageSpec 2',
    command: '[]string 3',
    args: '[]string 4',
    workingDir: 'string 5',
    envs: '[]KeyValue 6',
    mounts: '[]Mount 7',
    logPath: 'string 11',
    linux: 'LinuxContainerConfig 15',
  },
  CreateContainerRequest: {podSandboxId: 'string 1', config: 'ContainerConfig 2', sandboxConfig: 'PodSandboxConfig 3'},
  CreateContainerResponse: {containerId: 'string 1'},
  StartContainerRequest: {containerId: 'string 1'},
  StartContainerResponse: {},
  ContainerStatusRequest: {containerId: 'string 1', verbose: 'bool 2'},
  ContainerStatusResponse: {info: 'map 2'},
  ExecSyncRequest: {containerId: 'string 1', cmd: '[]string 2', timeout: 'int64 3'},
  ExecSyncResponse: {stdout: 'bytes 1', stderr: 'bytes 2', exitCode: 'int32 3'},
  ImageStatusRequest: {image: 'ImageSpec 1'},
  ImageStatusResponse: {image: 'Image 1'},
  Image: {id: 'string 1'},
  RemoveImageRequest: {image: 'ImageSpec 1'},
  RemoveImageResponse: {},
};

const runtimeVerbs = [
  'Version',
  'Status',
  'RunPodSandbox',
  'StopPodSandbox',
  'RemovePodSandbox',
  'ListPodSandbox',
  'CreateContainer',
  'StartContainer',
  'ContainerStatus',
  'ExecSync',
] as const;
const imageVerbs = ['ImageStatus', 'RemoveImage'] as const;
export type CriVerb = (typeof runtimeVerbs)[number] | (typeof imageVerbs)[number];

/** Which of the two services a verb is of. */
export function serviceOf(verb: CriVerb): 'RuntimeService' | 'ImageService' {
  return imageVerbs.some((each) => each === verb) ? 'ImageService' : 'RuntimeService';
}

function fieldOf(written: string): object {
  const [type = '', number] = written.split(' ');
  const id = Number(number);
  if (type === 'map') return {keyType: 'string', type: 'string', id};
  return type.startsWith('[]') ? {rule: 'repeated', type: type.slice(2), id} : {type, id};
}

const service = (verbs: readonly string[]): object => ({
  methods: Object.fromEntries(
    verbs.map((verb) => [verb, {requestType: `${verb}Request`, responseType: `${verb}Response`}]),
  ),
});

/** The package `runtime.v1` as protobufjs describes one in JSON. */
export const criDescriptor = {
  nested: {
    runtime: {
      nested: {
        v1: {
          options: {syntax: 'proto3'},
          nested: {
            NamespaceMode: {values: {POD: 0, CONTAINER: 1, NODE: 2, TARGET: 3}},
            ...Object.fromEntries(
              Object.entries(messages).map(([name, fields]) => [
                name,
                {
                  fields: Object.fromEntries(
                    Object.entries(fields).map(([field, written]) => [field, fieldOf(written)]),
                  ),
                },
              ]),
            ),
            RuntimeService: service(runtimeVerbs),
            ImageService: service(imageVerbs),
          },
        },
      },
    },
  },
};
