import type {FieldError} from './field-error.ts';
import {duplicate, forbidden, invalid, required, unsupported} from './field-error.ts';
import type {FeatureGates, KubernetesVersion} from './kubernetes-versions.ts';
import {isGateOn, minorOf} from './kubernetes-versions.ts';
import type {ContainerPort, Handler, HandlerChoice, PortRef, Probe, RestartRule} from './life.ts';
import type {PodContainer, PodSpec} from './pod.ts';

/** What the checks of one container need to know of the rest. */
export interface LifeContext {
  readonly kubernetes: KubernetesVersion;
  readonly gates?: FeatureGates;
  readonly list: 'containers' | 'initContainers' | 'ephemeralContainers';
  readonly spec: PodSpec;
}

/**
 * What the API says against probes, hooks, ports and the restart policy of a container.
 * Source: kubernetes pkg/apis/core/validation/validation.go validateProbe, validateLifecycle, validateInitContainers,
 * validateContainerPorts, validateContainerRestartPolicy, 1.25 to 1.37.
 */
export function lifeErrors(container: PodContainer, path: string, context: LifeContext): FieldError[] {
  const {list, spec} = context;
  const errors: FieldError[] = [...restartErrors(container, path, context), ...portErrors(container.ports, path)];
  const hooks = (['postStart', 'preStop'] as const).flatMap((name) => {
    const hook = container[name];
    return hook ? [{hook, at: `${path}.lifecycle.${name}`}] : [];
  });
  const mayHaveLife = list === 'containers' || (list === 'initContainers' && container.restartPolicy === 'Always');
  if (!mayHaveLife) return [...errors, ...misplacedErrors(container, path, hooks.length > 0, context)];
  for (const {hook, at} of hooks)
    errors.push(...choiceErrors(hook, at, context), ...sleepErrors(hook, at, spec, context));
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name];
    if (probe) errors.push(...probeErrors(probe, name, `${path}.${name}`, context));
  }
  if (!['File', 'FallbackToLogsOnError'].includes(container.terminationMessagePolicy)) {
    const at = `${path}.terminationMessagePolicy`;
    errors.push(unsupported(at, container.terminationMessagePolicy, ['FallbackToLogsOnError', 'File']));
  }
  return errors;
}

/** Probes and hooks of a container that is waited for to its end. */
function misplacedErrors(
  container: PodContainer,
  path: string,
  hasHooks: boolean,
  {kubernetes, list}: LifeContext,
): FieldError[] {
  const fields = [
    ...(hasHooks ? ['lifecycle'] : []),
    ...(['livenessProbe', 'readinessProbe', 'startupProbe'] as const).filter((name) => container[name]),
  ];
  return fields.map((name) => {
    if (list === 'ephemeralContainers') return forbidden(`${path}.${name}`, 'cannot be set for an Ephemeral Container');
    if (minorOf(kubernetes) >= 28)
      return forbidden(`${path}.${name}`, 'may not be set for init containers without restartPolicy=Always');
    return invalid(`${path}.${name}`, '', 'must not be set for init containers');
  });
}

const restartPolicies = ['Always', 'Never', 'OnFailure'];

function restartErrors(container: PodContainer, path: string, context: LifeContext): FieldError[] {
  const {restartPolicy, restartPolicyRules} = container;
  const {list, kubernetes, gates} = context;
  const at = `${path}.restartPolicy`;
  const hasRules = isGateOn('ContainerRestartRules', kubernetes, gates);
  const errors: FieldError[] = [];
  if (restartPolicy !== undefined) {
    if (list === 'ephemeralContainers') errors.push(forbidden(at, 'cannot be set for an Ephemeral Container'));
    else if (hasRules) {
      if (!restartPolicies.includes(restartPolicy)) errors.push(unsupported(at, restartPolicy, restartPolicies));
    } else if (list === 'containers') errors.push(forbidden(at, 'may not be set for non-init containers'));
    else if (!isGateOn('SidecarContainers', kubernetes, gates))
      errors.push(forbidden(at, `needs the feature gate SidecarContainers in Kubernetes ${kubernetes}`));
    else if (restartPolicy !== 'Always') errors.push(unsupported(at, restartPolicy, ['Always']));
  }
  if (restartPolicyRules.length === 0) return errors;
  const rules = `${path}.restartPolicyRules`;
  if (!hasRules)
    return [...errors, forbidden(rules, `needs the feature gate ContainerRestartRules in Kubernetes ${kubernetes}`)];
  if (restartPolicy === undefined) errors.push(required(at, 'must specify restartPolicy when restart rules are used'));
  if (restartPolicyRules.length > 20)
    errors.push(invalid(rules, restartPolicyRules.length, 'must have at most 20 items'));
  for (const [i, rule] of restartPolicyRules.entries()) errors.push(...ruleErrors(rule, `${rules}[${i}]`));
  return errors;
}

function ruleErrors(rule: RestartRule, at: string): FieldError[] {
  const errors: FieldError[] = [];
  // RestartAllContainers needs an alpha gate that is not done here.
  const actions = ['Restart'];
  if (rule.action === '') errors.push(required(`${at}.action`));
  else if (!actions.includes(rule.action)) errors.push(unsupported(`${at}.action`, rule.action, actions));
  if (!rule.exitCodes) return [...errors, required(`${at}.exitCodes`, 'must be specified')];
  const {operator, values} = rule.exitCodes;
  if (!['In', 'NotIn'].includes(operator))
    errors.push(unsupported(`${at}.exitCodes.operator`, operator, ['In', 'NotIn']));
  if (values.length === 0) errors.push(required(`${at}.exitCodes.values`));
  if (values.length > 255) errors.push(invalid(`${at}.exitCodes.values`, values.length, 'must have at most 255 items'));
  return errors;
}

function portErrors(ports: readonly ContainerPort[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, {name, containerPort, protocol}] of ports.entries()) {
    const at = `${path}.ports[${i}]`;
    if (name !== undefined) {
      const wrong = portNameErrors(name);
      for (const detail of wrong) errors.push(invalid(`${at}.name`, name, detail));
      if (wrong.length === 0 && names.has(name)) errors.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    if (containerPort === 0) errors.push(required(`${at}.containerPort`));
    else errors.push(...numberErrors(containerPort, `${at}.containerPort`));
    if (!['SCTP', 'TCP', 'UDP'].includes(protocol))
      errors.push(unsupported(`${at}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']));
  }
  return errors;
}

/** Source: apimachinery pkg/util/validation IsValidPortName, 1.37. */
function portNameErrors(name: string): string[] {
  const errors = [];
  if (name.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) errors.push('must contain at least one letter (a-z)');
  if (name.includes('--')) errors.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

function numberErrors(port: number, at: string): FieldError[] {
  return port >= 1 && port <= 65_535 ? [] : [invalid(at, port, 'must be between 1 and 65535, inclusive')];
}

function portRefErrors(port: PortRef, at: string): FieldError[] {
  return typeof port === 'number'
    ? numberErrors(port, at)
    : portNameErrors(port).map((detail) => invalid(at, port, detail));
}

function choiceErrors({handler, count}: HandlerChoice, at: string, {kubernetes, gates}: LifeContext): FieldError[] {
  const isDropped = handler?.kind === 'sleep' && !isGateOn('PodLifecycleSleepAction', kubernetes, gates);
  if (!handler || isDropped) return [required(at, 'must specify a handler type')];
  const errors = handlerErrors(handler, `${at}.${handler.kind}`);
  if (count > 1) errors.push(forbidden(at, 'may not specify more than 1 handler type'));
  return errors;
}

function handlerErrors(handler: Handler, at: string): FieldError[] {
  switch (handler.kind) {
    case 'exec':
      return handler.command.length === 0 ? [required(`${at}.command`)] : [];
    case 'httpGet': {
      const errors = portRefErrors(handler.port, `${at}.port`);
      if (!['HTTP', 'HTTPS'].includes(handler.scheme))
        errors.push(unsupported(`${at}.scheme`, handler.scheme, ['HTTP', 'HTTPS']));
      for (const {name} of handler.headers) {
        if (/^[-A-Za-z0-9]+$/.test(name)) continue;
        const detail =
          "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
        errors.push(invalid(`${at}.httpHeaders`, name, detail));
      }
      return errors;
    }
    case 'tcpSocket':
      return portRefErrors(handler.port, `${at}.port`);
    case 'grpc':
      return numberErrors(handler.port, `${at}.port`);
    case 'sleep':
      return [];
  }
}

/** A hook that sleeps must end within the grace. Zero from 1.32 on (alpha, off) and 1.33 on (on). */
function sleepErrors(
  {handler}: HandlerChoice,
  at: string,
  spec: PodSpec,
  {kubernetes, gates}: LifeContext,
): FieldError[] {
  if (handler?.kind !== 'sleep' || !isGateOn('PodLifecycleSleepAction', kubernetes, gates)) return [];
  const grace = spec.terminationGracePeriodSeconds;
  const {seconds} = handler;
  const mayBeZero = isGateOn('PodLifecycleSleepActionAllowZero', kubernetes, gates);
  if (seconds <= grace && (seconds > 0 || (mayBeZero && seconds === 0))) return [];
  const detail = mayBeZero
    ? `must be non-negative and less than terminationGracePeriodSeconds (${grace})`
    : `must be greater than 0 and less than terminationGracePeriodSeconds (${grace})`;
  return [invalid(`${at}.sleep`, seconds, detail)];
}

function probeErrors(probe: Probe, name: string, at: string, context: LifeContext): FieldError[] {
  const errors = choiceErrors(probe, at, context);
  const counts = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  for (const field of counts) {
    if (probe[field] < 0) errors.push(invalid(`${at}.${field}`, probe[field], 'must be greater than or equal to 0'));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0)
    errors.push(invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  if (name === 'readinessProbe') {
    if (grace !== undefined)
      errors.push(invalid(`${at}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'));
  } else if (probe.successThreshold !== 1)
    errors.push(invalid(`${at}.successThreshold`, probe.successThreshold, 'must be 1'));
  return errors;
}
