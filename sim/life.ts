/** A port of a container, or the name of one of its `ports`. */
export type PortRef = number | string;

/** What a probe or a hook does. */
export type Handler =
  | {readonly kind: 'exec'; readonly command: readonly string[]}
  | {
      readonly kind: 'httpGet';
      readonly path: string;
      readonly port: PortRef;
      /** Empty: the pod's own address. */
      readonly host: string;
      /** `HTTP` or `HTTPS`. */
      readonly scheme: string;
      readonly headers: readonly {readonly name: string; readonly value: string}[];
    }
  | {readonly kind: 'tcpSocket'; readonly port: PortRef; readonly host: string}
  | {readonly kind: 'grpc'; readonly port: number; readonly service: string}
  /** Of hooks only. */
  | {readonly kind: 'sleep'; readonly seconds: number};

/** A handler as written: the API refuses none and several. */
export interface HandlerChoice {
  /** The first of those that are written. */
  readonly handler?: Handler;
  /** How many are written. */
  readonly count: number;
}

/** A probe with the API's defaults filled in. Times in seconds. */
export interface Probe extends HandlerChoice {
  readonly initialDelaySeconds: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
  /** Instead of the pod's, when this probe has the container killed. */
  readonly terminationGracePeriodSeconds?: number;
}

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export const probeKinds: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];

/** What becomes of a container that ended with one of these codes (`In`), or with none of them (`NotIn`). */
export interface RestartRule {
  /** `Restart`. */
  readonly action: string;
  /** Absent: the API refuses that. */
  readonly exitCodes?: {readonly operator: string; readonly values: readonly number[]};
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol: string;
}

/** The parts of a container that say how its life goes. */
export interface ContainerLife {
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly postStart?: HandlerChoice;
  readonly preStop?: HandlerChoice;
  /** Name with or without SIG. */
  readonly stopSignal?: string;
  /** The container's own. `Always` of an init container makes it a sidecar. */
  readonly restartPolicy?: string;
  readonly restartPolicyRules: readonly RestartRule[];
  readonly ports: readonly ContainerPort[];
}
