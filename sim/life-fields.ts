import type {FieldReader} from './field-reader.ts';
import type {ContainerLife, ContainerPort, Handler, HandlerChoice, PortRef, Probe, RestartRule} from './life.ts';

/** Probes, hooks, ports and restart rules of a container. Defaults are the API server's. Source: kubernetes/api core/v1 Container, 1.37. */
export function readLife(reader: FieldReader): ContainerLife {
  const lifecycle = reader.object('lifecycle');
  const probes = (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).map(
    (name) => [name, readProbe(reader.object(name))] as const,
  );
  const restartPolicy = reader.string('restartPolicy');
  const life: ContainerLife = {
    ...Object.fromEntries(probes.filter(([, probe]) => probe !== undefined)),
    ...(lifecycle && readLifecycle(lifecycle)),
    ...(restartPolicy !== undefined && {restartPolicy}),
    restartPolicyRules: reader.objects('restartPolicyRules').map(readRule),
    ports: reader.objects('ports').map(readPort),
  };
  return life;
}

function readProbe(reader: FieldReader | undefined): Probe | undefined {
  if (!reader) return undefined;
  const grace = reader.integer('terminationGracePeriodSeconds');
  const probe: Probe = {
    ...readHandler(reader, 'probe'),
    initialDelaySeconds: reader.integer('initialDelaySeconds') ?? 0,
    // 0 asks for the default too.
    periodSeconds: reader.integer('periodSeconds') || 10,
    timeoutSeconds: reader.integer('timeoutSeconds') || 1,
    successThreshold: reader.integer('successThreshold') || 1,
    failureThreshold: reader.integer('failureThreshold') || 3,
    ...(grace !== undefined && {terminationGracePeriodSeconds: grace}),
  };
  reader.finish();
  return probe;
}

function readLifecycle(reader: FieldReader): Pick<ContainerLife, 'postStart' | 'preStop' | 'stopSignal'> {
  const hook = (name: string) => {
    const inner = reader.object(name);
    const choice = inner && readHandler(inner, 'hook');
    inner?.finish();
    return choice;
  };
  const [postStart, preStop, stopSignal] = [hook('postStart'), hook('preStop'), reader.string('stopSignal')];
  reader.finish();
  return {
    ...(postStart && {postStart}),
    ...(preStop && {preStop}),
    ...(stopSignal !== undefined && {stopSignal}),
  };
}

/** A handler of a probe or hook; exactly one is the API’s to demand. */
export function readHandler(reader: FieldReader, of: 'probe' | 'hook'): HandlerChoice {
  const handlers: Handler[] = [];
  const exec = reader.object('exec');
  if (exec) {
    handlers.push({kind: 'exec', command: exec.strings('command') ?? []});
    exec.finish();
  }
  const http = reader.object('httpGet');
  if (http) handlers.push(readHttpGet(http));
  const tcp = reader.object('tcpSocket');
  if (tcp) {
    handlers.push({kind: 'tcpSocket', port: readPortRef(tcp), host: tcp.string('host') ?? ''});
    tcp.finish();
  }
  if (of === 'hook') {
    reader.refuse(
      'tcpSocket',
      'the API takes it for old manifests, and the hook fails in every kubelet; use httpGet or exec',
    );
    const sleep = reader.object('sleep');
    if (sleep) {
      handlers.push({kind: 'sleep', seconds: sleep.integer('seconds') ?? 0});
      sleep.finish();
    }
  } else {
    const grpc = reader.object('grpc');
    if (grpc) {
      handlers.push({kind: 'grpc', port: grpc.integer('port') ?? 0, service: grpc.string('service') ?? ''});
      grpc.finish();
    }
  }
  const [handler] = handlers;
  return {...(handler && {handler}), count: handlers.length};
}

function readHttpGet(reader: FieldReader): Handler {
  const headers = reader.objects('httpHeaders').map((header) => {
    const pair = {name: header.string('name') ?? '', value: header.string('value') ?? ''};
    header.finish();
    return pair;
  });
  const handler: Handler = {
    kind: 'httpGet',
    path: reader.string('path') || '/',
    port: readPortRef(reader),
    host: reader.string('host') ?? '',
    scheme: reader.string('scheme') || 'HTTP',
    headers,
  };
  reader.finish();
  return handler;
}

function readPortRef(reader: FieldReader): PortRef {
  return reader.integerOrString('port') ?? 0;
}

function readRule(reader: FieldReader): RestartRule {
  const codes = reader.object('exitCodes');
  const exitCodes = codes && {operator: codes.string('operator') ?? '', values: codes.integers('values') ?? []};
  codes?.finish();
  const rule: RestartRule = {action: reader.string('action') ?? '', ...(exitCodes && {exitCodes})};
  reader.finish();
  return rule;
}

function readPort(reader: FieldReader): ContainerPort {
  const name = reader.string('name');
  const port: ContainerPort = {
    ...(name && {name}),
    containerPort: reader.integer('containerPort') ?? 0,
    protocol: reader.string('protocol') || 'TCP',
  };
  reader.refuse('hostPort', 'the port would not be reachable on the host');
  reader.ignore('hostIP');
  reader.finish();
  return port;
}
