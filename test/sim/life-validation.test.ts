import test from 'ava';
import fc from 'fast-check';
import {
  containerConfigOf,
  dnsConfigOf,
  hostnameOf,
  hostsFileOf,
  type Pod,
  parseManifests,
  parseResolvConf,
  sandboxConfigOf,
  stopWishesOf,
  validatePod,
} from '../../sim/index.ts';
import {preStopOf} from '../../sim/pre-stop.ts';

function podOf(spec: string, container = ''): Pod {
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: web, uid: u, namespace: ns}, spec: {${spec && `${spec}, `}containers: [{name: c, image: host${container && `, ${container}`}}]}}`;
  const [pod] = parseManifests(text, {file: 'pod.yaml', notYet: 'keep'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}
const said = (pod: Pod, kubernetes = '1.37') => validatePod(pod, {kubernetes}).map(({text}) => text);
const at = 'spec.containers[0]';

/** What is written in the container, and what the API says. */
const containers: readonly (readonly [what: string, container: string, ...errors: string[]])[] = [
  [
    'a probe without a handler',
    'livenessProbe: {}',
    `${at}.livenessProbe: Required value: must specify a handler type`,
  ],
  [
    'two handlers',
    'readinessProbe: {exec: {command: [x]}, tcpSocket: {port: 1}}',
    `${at}.readinessProbe: Forbidden: may not specify more than 1 handler type`,
  ],
  ['no command', 'livenessProbe: {exec: {}}', `${at}.livenessProbe.exec.command: Required value`],
  [
    'a port of 0',
    'livenessProbe: {tcpSocket: {port: 0}}',
    `${at}.livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
  ],
  [
    'a port name with a capital',
    'livenessProbe: {httpGet: {port: Web}}',
    `${at}.livenessProbe.httpGet.port: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
  ],
  [
    'another scheme',
    'livenessProbe: {httpGet: {port: 1, scheme: FTP}}',
    `${at}.livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"`,
  ],
  [
    'a liveness probe that must succeed twice',
    'livenessProbe: {grpc: {port: 1}, successThreshold: 2}',
    `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
  ],
  [
    'a readiness probe with a grace',
    'readinessProbe: {grpc: {port: 1}, terminationGracePeriodSeconds: 5}',
    `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes`,
  ],
  [
    'a grace of 0 and a negative period',
    'livenessProbe: {grpc: {port: 1}, terminationGracePeriodSeconds: 0, periodSeconds: -1}',
    `${at}.livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
    `${at}.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
  ],
  [
    'a hook without a handler',
    'lifecycle: {preStop: {}}',
    `${at}.lifecycle.preStop: Required value: must specify a handler type`,
  ],
  [
    'a hook that sleeps longer than the grace',
    'lifecycle: {preStop: {sleep: {seconds: 31}}}',
    `${at}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)`,
  ],
  [
    'ports without a number, of another protocol, and twice of one name',
    'ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}, {protocol: ICMP}]',
    `${at}.ports[1].name: Duplicate value: "a"`,
    `${at}.ports[2].containerPort: Required value`,
    `${at}.ports[2].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`,
  ],
  [
    'another policy for last words',
    'terminationMessagePolicy: Log',
    `${at}.terminationMessagePolicy: Unsupported value: "Log": supported values: "FallbackToLogsOnError", "File"`,
  ],
  [
    'rules without a policy',
    'restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]',
    `${at}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
  ],
  [
    'a rule of nothing',
    'restartPolicy: Never, restartPolicyRules: [{action: Restart}, {action: Kill, exitCodes: {operator: Is, values: []}}]',
    `${at}.restartPolicyRules[0].exitCodes: Required value: must be specified`,
    `${at}.restartPolicyRules[1].action: Unsupported value: "Kill": supported values: "Restart"`,
    `${at}.restartPolicyRules[1].exitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"`,
    `${at}.restartPolicyRules[1].exitCodes.values: Required value`,
  ],
];
for (const [what, container, ...errors] of containers) {
  test(`the API refuses ${what}`, (t) => {
    t.deepEqual(said(podOf('', container)), errors);
  });
}

const pods: readonly (readonly [what: string, spec: string, ...errors: string[]])[] = [
  [
    'a deadline of 0',
    'activeDeadlineSeconds: 0',
    'spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive',
  ],
  [
    'an alias that is no address, and one that is no name',
    'hostAliases: [{ip: here, hostnames: [ok]}, {ip: "::1", hostnames: [A_b]}]',
    'spec.hostAliases[0].ip: Invalid value: "here": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    `spec.hostAliases[1].hostnames[0]: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  ],
  ['a subdomain with a dot', 'subdomain: a.b', 'spec.subdomain: Invalid value: "a.b": must not contain dots'],
  [
    'another DNS policy',
    'dnsPolicy: Mine',
    'spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"',
  ],
  [
    'policy None without servers',
    'dnsPolicy: None',
    'spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None',
  ],
  [
    'four servers, of which one is no address',
    'dnsConfig: {nameservers: [10.0.0.1, 10.0.0.2, 10.0.0.3, x]}',
    'spec.dnsConfig.nameservers: Invalid value: ["10.0.0.1","10.0.0.2","10.0.0.3","x"]: must not have more than 3 nameservers',
    'spec.dnsConfig.nameservers[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
];
for (const [what, spec, ...errors] of pods) {
  test(`the API refuses ${what}`, (t) => {
    t.deepEqual(said(podOf(spec)), errors);
  });
}

test('probes and hooks are for containers that stay; how that is said changed with sidecars', (t) => {
  const init = podOf(
    'initContainers: [{name: i, image: host, livenessProbe: {exec: {command: [x]}}, lifecycle: {preStop: {exec: {command: [x]}}}}]',
  );
  t.deepEqual(said(init), [
    'spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always',
    'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
  ]);
  t.is(
    said(init, '1.27')[1],
    'spec.initContainers[0].livenessProbe: Invalid value: "": must not be set for init containers',
  );
  const sidecar = podOf(
    'initContainers: [{name: s, image: host, restartPolicy: Always, startupProbe: {exec: {command: [x]}}}]',
  );
  t.deepEqual(said(sidecar), []);
  t.deepEqual(said(sidecar, '1.29'), []);
  t.regex(
    said(sidecar, '1.28')[0] ?? '',
    /initContainers\[0\]\.restartPolicy: Forbidden: needs the feature gate SidecarContainers/,
  );
});

test('a restart policy of one container is for init containers only before 1.35', (t) => {
  const own = podOf('', 'restartPolicy: OnFailure');
  t.deepEqual(said(own), []);
  t.deepEqual(said(own, '1.34'), [`${at}.restartPolicy: Forbidden: may not be set for non-init containers`]);
  const init = podOf('initContainers: [{name: i, image: host, restartPolicy: Never}]');
  t.deepEqual(said(init), []);
  t.deepEqual(said(init, '1.34'), [
    'spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ]);
});

test('a hook may sleep from 1.30 on, for no time from 1.33 on', (t) => {
  const sleeping = (seconds: number) => podOf('', `lifecycle: {preStop: {sleep: {seconds: ${seconds}}}}`);
  t.deepEqual(said(sleeping(5), '1.30'), []);
  t.deepEqual(said(sleeping(5), '1.29'), [`${at}.lifecycle.preStop: Required value: must specify a handler type`]);
  t.deepEqual(said(sleeping(0), '1.33'), []);
  t.deepEqual(said(sleeping(0), '1.32'), [
    `${at}.lifecycle.preStop.sleep: Invalid value: 0: must be greater than 0 and less than terminationGracePeriodSeconds (30)`,
  ]);
});

// ── names

for (const [spec, name] of [
  ['', 'web'],
  ['subdomain: sub', 'web'],
  ['subdomain: sub, setHostnameAsFQDN: true', 'web.sub.ns.svc.cluster.local'],
  ['hostname: box, subdomain: sub, setHostnameAsFQDN: true', 'box.sub.ns.svc.cluster.local'],
  ['setHostnameAsFQDN: true', 'web'],
  ['hostNetwork: true, subdomain: sub, setHostnameAsFQDN: true', ''],
] as const) {
  test(`with {${spec}} the host name is "${name}"`, (t) => {
    t.is(hostnameOf(podOf(spec)), name);
  });
}

test('a whole name that the kernel does not take is refused, with its length', (t) => {
  const pod = podOf(`subdomain: ${'a'.repeat(40)}, setHostnameAsFQDN: true`);
  t.throws(() => sandboxConfigOf(pod, undefined), {
    code: 'SUBROOT_POD_FQDN',
    message: /too long \(64 characters is the max, 65 characters requested\)/,
  });
});

test('/etc/hosts has the loopback, the pod and its aliases; on the host network the node’s file and the aliases', (t) => {
  const aliases = 'hostAliases: [{ip: 10.0.0.1, hostnames: [db, db.local]}, {ip: "2001:db8::1"}]';
  const node = () => ({name: 'n', hostIPs: ['192.0.2.1'], capacity: {}});
  const own = hostsFileOf(podOf(`subdomain: sub, ${aliases}`), node, undefined);
  t.true(own.includes('\n127.0.0.1\tlocalhost\n'));
  t.true(
    own.endsWith(
      '\n127.0.0.1\tweb.sub.ns.svc.cluster.local\tweb\n\n# Entries added by HostAliases.\n10.0.0.1\tdb\tdb.local\n2001:db8::1\n',
    ),
    own,
  );
  t.is(
    hostsFileOf(podOf(`hostNetwork: true, ${aliases}`), node, '127.0.0.1 localhost\n1.2.3.4 me\n'),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n1.2.3.4 me\n\n# Entries added by HostAliases.\n10.0.0.1\tdb\tdb.local\n2001:db8::1\n',
  );
});

const resolv =
  '# by hand\nnameserver 192.0.2.53\nsearch old.example\nsearch a.example b.example.\nnameserver 192.0.2.54\noptions ndots:2 edns0\n';

test('a resolv.conf says its servers, and the last of its search and options lines', (t) => {
  t.deepEqual(parseResolvConf(resolv), {
    servers: ['192.0.2.53', '192.0.2.54'],
    searches: ['a.example', 'b.example'],
    options: ['ndots:2', 'edns0'],
  });
  fc.assert(fc.property(fc.string(), (text) => parseResolvConf(text).servers.every((server) => server !== '')));
});

test('policy Default is the node’s, with what the pod adds; the others bring only that', (t) => {
  const config =
    'dnsConfig: {nameservers: [10.0.0.1, 192.0.2.53], searches: [own], options: [{name: ndots, value: "5"}]}';
  const of = (spec: string) => dnsConfigOf(podOf(spec), () => resolv);
  t.deepEqual(of(`dnsPolicy: Default, ${config}`), {
    servers: ['192.0.2.53', '192.0.2.54', '10.0.0.1'],
    searches: ['a.example', 'b.example', 'own'],
    options: ['edns0', 'ndots:5'],
  });
  t.deepEqual(of('dnsPolicy: Default'), parseResolvConf(resolv));
  t.deepEqual(of(`dnsPolicy: None, ${config}`)?.servers, ['10.0.0.1', '192.0.2.53']);
  t.is(of('dnsPolicy: ClusterFirst'), undefined);
  t.is(of(''), undefined);
});

test('ClusterFirst, when it is asked for, warns that there is no cluster; enableServiceLinks has nothing to link', (t) => {
  const text =
    '{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {dnsPolicy: ClusterFirst, enableServiceLinks: true, containers: [{name: c, image: host}]}}';
  const {warnings} = parseManifests(text, {file: 'pod.yaml'});
  t.deepEqual(
    warnings.map(({kind, text}) => [kind, text]),
    [
      [
        'not-honoured',
        'spec.dnsPolicy: there is no cluster here, so this brings no name server; None and Default do what they say',
      ],
    ],
  );
});

// ── what a container carries for who stops it

test('who stops a container reads its hook, ports, grace and place from it', (t) => {
  const hook = 'httpGet: {path: /bye, port: web, scheme: HTTPS, host: localhost, httpHeaders: [{name: X, value: v}]}';
  const side = `{name: s, image: host, restartPolicy: Always, ports: [{name: web, containerPort: 8}], lifecycle: {preStop: {${hook}}}}`;
  const pod = podOf(`terminationGracePeriodSeconds: 7, initContainers: [{name: i, image: host}, ${side}]`);
  const wishes = (container: Pod['spec']['containers'][number] | undefined) => {
    if (!container) throw new Error('no container');
    return stopWishesOf(containerConfigOf(pod, container, undefined).annotations ?? {});
  };
  const {preStop, ...rest} = wishes(pod.spec.initContainers[1]);
  t.deepEqual(rest, {grace: 7, ports: [{name: 'web', containerPort: 8, protocol: 'TCP'}], role: 'sidecar', index: 1});
  t.deepEqual(preStopOf(preStop ?? ''), pod.spec.initContainers[1]?.preStop?.handler);
  t.deepEqual(wishes(pod.spec.containers[0]), {grace: 7, ports: [], role: 'app', index: 0});
  t.is(wishes(pod.spec.initContainers[0]).role, 'init');
});

for (const hook of ['exec: {command: [a, "b c"]}', 'sleep: {seconds: 3}', 'httpGet: {port: 80}']) {
  test(`the hook {${hook}} comes back from its annotation as it was`, (t) => {
    const pod = podOf('', `lifecycle: {preStop: {${hook}}}`);
    const [container] = pod.spec.containers;
    if (!container) throw new Error('no container');
    const {preStop = ''} = stopWishesOf(containerConfigOf(pod, container, undefined).annotations ?? {});
    t.deepEqual(preStopOf(preStop), container.preStop?.handler);
  });
}

test('an annotation of any text is a hook or none, and never an error', (t) => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => preStopOf(text) === undefined || JSON.parse(text)));
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom('subroot/role', 'io.kubernetes.container.ports', 'io.kubernetes.pod.terminationGracePeriod'),
        fc.string(),
      ),
      (annotations) => {
        const {grace, index, ports} = stopWishesOf(annotations);
        return grace >= 0 && Number.isFinite(index) && Array.isArray(ports);
      },
    ),
  );
  t.pass();
});
