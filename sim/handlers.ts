import type {RuntimeService} from '../native-free/cri.ts';
import {SubrootError} from '../native-free/errors.ts';
import type {Clock} from './clock.ts';
import type {ContainerPort, Handler, PortRef} from './life.ts';
import type {ProbeResult} from './probe-state.ts';

/** A request that a probe or hook makes of a program in the pod. */
export interface HttpRequest {
  /** Empty: the pod's own address. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly scheme: 'HTTP' | 'HTTPS';
  readonly headers: readonly {readonly name: string; readonly value: string}[];
}

/**
 * The network of a pod, reached from inside it: a pod has its loopback only, and no program of its image is needed.
 * Every call rejects with an Error that says why when there was no answer, and ends when the signal aborts.
 */
export interface PodNetwork {
  /** Follows redirects to the same host. The body is cut at 10 KiB. */
  http(request: HttpRequest, signal: AbortSignal): Promise<{readonly status: number; readonly body: string}>;
  connect(host: string, port: number, signal: AbortSignal): Promise<void>;
  /** The status of grpc.health.v1.Health/Check: `SERVING`, `NOT_SERVING`, … */
  grpcHealth(port: number, service: string, signal: AbortSignal): Promise<string>;
}

export interface HandlerContext {
  readonly runtime: Pick<RuntimeService, 'execSync'>;
  readonly network: PodNetwork;
  readonly clock: Clock;
  readonly containerId: string;
  /** For ports by name. */
  readonly ports: readonly ContainerPort[];
  /** Cuts what is under way. */
  readonly signal?: AbortSignal;
}

export interface Outcome {
  readonly result: ProbeResult;
  /** What the program or the connection said. */
  readonly output: string;
}

/** Characters of a program's output that are told. Source: kubernetes pkg/probe/exec/exec.go maxReadLength. */
const MAX_OUTPUT = 10 * 1024;

/**
 * Runs a probe once. A program that cannot be run, and a port that has no such name, are `unknown`: they say nothing of the container.
 * Source: kubernetes pkg/kubelet/prober/prober.go runProbe; pkg/probe/{exec,http,tcp,grpc}, 1.36.
 */
export async function runProbe(handler: Handler, timeoutSeconds: number, context: HandlerContext): Promise<Outcome> {
  const {network, ports} = context;
  try {
    switch (handler.kind) {
      case 'exec':
        return await runExec(handler.command, timeoutSeconds, context);
      case 'httpGet': {
        const port = portOf(handler.port, ports);
        const request = requestOf(handler, port);
        return await answerOf(context, timeoutSeconds, async (signal) => {
          const {status, body} = await network.http(request, signal);
          const isGood = status >= 200 && status < 400;
          return isGood ? success(body) : failure(`HTTP probe failed with statuscode: ${status}`);
        });
      }
      case 'tcpSocket': {
        const port = portOf(handler.port, ports);
        return await answerOf(context, timeoutSeconds, async (signal) => {
          await network.connect(handler.host, port, signal);
          return success('');
        });
      }
      case 'grpc':
        return await answerOf(context, timeoutSeconds, async (signal) => {
          const status = await network.grpcHealth(handler.port, handler.service, signal);
          return status === 'SERVING' ? success(status) : failure(`service unhealthy (responded with "${status}")`);
        });
      case 'sleep':
        return {result: 'unknown', output: 'a probe cannot sleep'};
    }
  } catch (error) {
    return {result: 'unknown', output: textOf(error)};
  }
}

/**
 * Runs a hook to its end; answers why it failed, or undefined. Any answer to an HTTP request is good.
 * Source: kubernetes pkg/kubelet/lifecycle/handlers.go, 1.36.
 */
export async function runHook(handler: Handler, context: HandlerContext): Promise<string | undefined> {
  const {signal} = context;
  try {
    switch (handler.kind) {
      case 'exec': {
        const call = signal ? {signal} : {};
        const {exitCode, stdout, stderr} = await context.runtime.execSync(
          {containerId: context.containerId, cmd: handler.command},
          call,
        );
        return exitCode === 0 ? undefined : `command ended with exit code ${exitCode}: ${shown(stdout, stderr)}`;
      }
      case 'httpGet':
        await context.network.http(requestOf(handler, portOf(handler.port, context.ports)), signal ?? never);
        return undefined;
      case 'sleep':
        await context.clock.wait(handler.seconds * 1000, signal);
        return undefined;
      case 'tcpSocket':
      case 'grpc':
        return `a hook cannot do ${handler.kind}`;
    }
  } catch (error) {
    return textOf(error);
  }
}

const never = new AbortController().signal;

async function runExec(
  cmd: readonly string[],
  timeout: number,
  {runtime, containerId, signal}: HandlerContext,
): Promise<Outcome> {
  try {
    const {exitCode, stdout, stderr} = await runtime.execSync({containerId, cmd, timeout}, signal ? {signal} : {});
    return {result: exitCode === 0 ? 'success' : 'failure', output: shown(stdout, stderr)};
  } catch (error) {
    // What a kubelet is told as DEADLINE_EXCEEDED.
    if (error instanceof SubrootError && error.code === 'SUBROOT_EXEC_TIMEOUT')
      return failure(`command timed out: "${cmd.join(' ')}" timed out after ${timeout}s`);
    throw error;
  }
}

/** No answer in time, or none at all, is a failure. */
async function answerOf(
  {clock, signal}: HandlerContext,
  timeoutSeconds: number,
  ask: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const controller = new AbortController();
  const cut = () => controller.abort();
  signal?.addEventListener('abort', cut, {once: true});
  const timeout = clock
    .wait(timeoutSeconds * 1000, controller.signal)
    .then(() => failure(`no answer within ${timeoutSeconds} s`));
  try {
    return await Promise.race([ask(controller.signal).catch((error: unknown) => failure(textOf(error))), timeout]);
  } finally {
    signal?.removeEventListener('abort', cut);
    controller.abort();
  }
}

function requestOf(handler: Handler & {kind: 'httpGet'}, port: number): HttpRequest {
  const {host, path, headers, scheme} = handler;
  return {
    host,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    scheme: scheme === 'HTTPS' ? 'HTTPS' : 'HTTP',
    headers,
  };
}

/** Source: kubernetes pkg/probe/util.go ResolveContainerPort, 1.36. */
function portOf(port: PortRef, ports: readonly ContainerPort[]): number {
  const number =
    typeof port === 'number' ? port : (ports.find(({name}) => name === port)?.containerPort ?? Number(port));
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw new Error(`the container has no port ${port}`);
}

function success(output: string): Outcome {
  return {result: 'success', output: output.slice(0, MAX_OUTPUT)};
}

function failure(output: string): Outcome {
  return {result: 'failure', output: output.slice(0, MAX_OUTPUT)};
}

function shown(stdout: Uint8Array, stderr: Uint8Array): string {
  const decoder = new TextDecoder();
  return (decoder.decode(stdout.subarray(0, MAX_OUTPUT)) + decoder.decode(stderr.subarray(0, MAX_OUTPUT))).trim();
}

function textOf(error: unknown): string {
  if (error instanceof SubrootError) return error.shortMessage;
  return error instanceof Error ? error.message : String(error);
}
