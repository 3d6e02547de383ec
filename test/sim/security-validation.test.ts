import test from 'ava';
import {SubrootError} from '../../native-free/errors.ts';
import {dottedSysctl, sysctlNamespaceOf, sysctlPathOf} from '../../native-free/sysctl-name.ts';
import {
  containerConfigOf,
  type Pod,
  parseManifests,
  requireAdmitted,
  sandboxConfigOf,
  validatePod,
} from '../../sim/index.ts';

function podOf(spec: string, context = ''): Pod {
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: host${
    context && `, securityContext: {${context}}`
  }}], ${spec}}}`;
  const [pod] = parseManifests(text, {file: 'pod.yaml'}).pods;
  if (!pod) throw new Error('no pod');
  return pod;
}
const texts = (pod: Pod) => validatePod(pod).map(({text}) => text);
const at = 'spec.containers[0].securityContext';

const profiles: readonly (readonly [context: string, expected: readonly string[]])[] = [
  ['seccompProfile: {type: RuntimeDefault}', []],
  ['seccompProfile: {type: Unconfined}', []],
  ['seccompProfile: {type: Localhost, localhostProfile: a/b.json}', []],
  ['seccompProfile: {}', [`${at}.seccompProfile.type: Required value: type is required when seccompProfile is set`]],
  [
    'seccompProfile: {type: runtimeDefault}',
    [
      `${at}.seccompProfile.type: Unsupported value: "runtimeDefault": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
    ],
  ],
  [
    'seccompProfile: {type: Localhost}',
    [`${at}.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`],
  ],
  [
    'seccompProfile: {type: Localhost, localhostProfile: /etc/x}',
    [`${at}.seccompProfile.localhostProfile: Invalid value: "/etc/x": must be a relative path`],
  ],
  [
    'seccompProfile: {type: Localhost, localhostProfile: a/../../x}',
    [`${at}.seccompProfile.localhostProfile: Invalid value: "a/../../x": must not contain '..'`],
  ],
  [
    'seccompProfile: {type: Unconfined, localhostProfile: x}',
    [`${at}.seccompProfile.localhostProfile: Invalid value: "x": can only be set when seccomp type is Localhost`],
  ],
  ['appArmorProfile: {type: Unconfined}', []],
  [
    'appArmorProfile: {type: Localhost}',
    [`${at}.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost`],
  ],
  [
    'appArmorProfile: {type: Localhost, localhostProfile: " x"}',
    [`${at}.appArmorProfile.localhostProfile: Invalid value: " x": must not be padded with whitespace`],
  ],
  [
    'allowPrivilegeEscalation: false, capabilities: {add: [CAP_SYS_ADMIN]}',
    [/cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN$/.source],
  ],
];

for (const [context, expected] of profiles) {
  test(`the API ${expected.length === 0 ? 'takes' : 'refuses'} {${context}}`, (t) => {
    const seen = texts(podOf('hostUsers: false', context));
    t.is(seen.length, expected.length, seen.join('; '));
    for (const [i, text] of expected.entries()) {
      if (text.endsWith('$')) t.regex(seen[i] ?? '', new RegExp(text));
      else t.is(seen[i], text);
    }
  });
}

test('the API takes Merge and Strict for the groups, and refuses anything else', (t) => {
  for (const policy of ['Merge', 'Strict'])
    t.deepEqual(texts(podOf(`securityContext: {supplementalGroupsPolicy: ${policy}}`)), []);
  t.deepEqual(texts(podOf('securityContext: {supplementalGroupsPolicy: merge}')), [
    'spec.securityContext.supplementalGroupsPolicy: Unsupported value: "merge": supported values: "Merge", "Strict"',
  ]);
});

test('the API refuses names of sysctls that are none, that are there twice, or that the host’s namespace has', (t) => {
  const sysctls = (...names: string[]) =>
    `securityContext: {sysctls: [${names.map((name) => `{name: "${name}", value: "1"}`).join(', ')}]}`;
  t.deepEqual(
    texts(podOf(sysctls('net.ipv4.tcp_syncookies', 'kernel.shm_rmid_forced', 'net/ipv4/conf/eth0.1/forwarding'))),
    [],
  );
  t.deepEqual(texts(podOf(sysctls(''))), ['spec.securityContext.sysctls[0].name: Required value']);
  for (const name of ['../x', 'a..b', 'A.b', 'a b', '/a', `a.${'b'.repeat(252)}`]) {
    const [first = ''] = texts(podOf(sysctls(name)));
    t.true(
      first.startsWith(
        `spec.securityContext.sysctls[0].name: Invalid value: ${JSON.stringify(name)}: must have at most 253`,
      ),
      first,
    );
  }
  t.deepEqual(texts(podOf(sysctls('net.a', 'net.a'))), [
    'spec.securityContext.sysctls[1].name: Duplicate value: "net.a"',
  ]);
  t.deepEqual(texts(podOf(`hostNetwork: true, hostIPC: true, ${sysctls('net.a', 'fs.mqueue.msg_max')}`)), [
    `spec.securityContext.sysctls[net.a]: Invalid value: "net.a": may not be specified when 'hostNetwork' is set to true`,
    `spec.securityContext.sysctls[fs.mqueue.msg_max]: Invalid value: "fs.mqueue.msg_max": may not be specified when 'hostIPC' is set to true`,
  ]);
});

const admissions: readonly (readonly [name: string, since: number])[] = [
  ['kernel.shm_rmid_forced', 25],
  ['net.ipv4.ping_group_range', 25],
  ['net.ipv4.ip_local_reserved_ports', 27],
  ['net.ipv4.tcp_keepalive_time', 29],
  ['net.ipv4.tcp_fin_timeout', 29],
  ['net.ipv4.tcp_rmem', 32],
];

test('a sysctl is safe from the kubelet’s version on that says so', (t) => {
  for (const [name, since] of admissions) {
    const pod = podOf(`securityContext: {sysctls: [{name: ${name}, value: "1"}]}`);
    for (let minor = 25; minor <= 37; minor += 1) {
      const admit = () => requireAdmitted(pod, {kubernetes: `1.${minor}`});
      if (minor >= since) t.notThrows(admit, `${name} in 1.${minor}`);
      else
        t.throws(
          admit,
          {
            instanceOf: SubrootError,
            code: 'SUBROOT_POD_NOT_ADMITTED',
            message: new RegExp(`\\(SysctlForbidden\\): forbidden sysctl: "${name}" not allowlisted`),
          },
          `${name} in 1.${minor}`,
        );
    }
  }
});

test('an unsafe sysctl is admitted where the kubelet is told so, and only of a namespace that has its own', (t) => {
  const pod = (name: string) => podOf(`securityContext: {sysctls: [{name: "${name}", value: "1"}]}`);
  const admit =
    (name: string, ...allowedUnsafeSysctls: string[]) =>
    () =>
      requireAdmitted(pod(name), {allowedUnsafeSysctls});
  t.throws(admit('kernel.msgmax'), {code: 'SUBROOT_POD_NOT_ADMITTED', message: /"kernel\.msgmax" not allowlisted/});
  t.notThrows(admit('kernel.msgmax', 'kernel.msg*'));
  t.notThrows(admit('kernel.msgmax', 'net.core.somaxconn', 'kernel.msgmax'));
  t.throws(admit('kernel.msgmax', 'kernel.sem'), {code: 'SUBROOT_POD_NOT_ADMITTED'});
  t.notThrows(admit('net/ipv4/conf/eth0.1/forwarding', 'net.*'));
  t.throws(admit('vm.swappiness', 'vm.*'), {code: 'SUBROOT_POD_NOT_ADMITTED'}, 'no namespace has its own');
  t.notThrows(() => requireAdmitted(podOf('')));
});

test('a name with slashes is the same sysctl as the one with dots', (t) => {
  t.is(dottedSysctl('net/ipv4/conf/eth0.1/forwarding'), 'net.ipv4.conf.eth0/1.forwarding');
  t.is(dottedSysctl('net.ipv4.conf.eth0/1.forwarding'), 'net.ipv4.conf.eth0/1.forwarding');
  t.is(sysctlNamespaceOf('net/core/somaxconn'), 'net');
  t.is(sysctlNamespaceOf('kernel.sem'), 'ipc');
  t.is(sysctlNamespaceOf('kernel.semaphore'), undefined);
  t.is(sysctlNamespaceOf('kernel.shmmax'), 'ipc');
  t.is(sysctlNamespaceOf('fs.mqueue.queues_max'), 'ipc');
  t.is(sysctlNamespaceOf('vm.swappiness'), undefined);
  t.is(sysctlPathOf('net.ipv4.conf.eth0/1.forwarding'), 'net/ipv4/conf/eth0.1/forwarding');
  t.is(sysctlPathOf('net/ipv4/tcp_syncookies'), 'net/ipv4/tcp_syncookies');
  for (const name of ['net', '', '..', 'net..a', 'net/../../etc/passwd', '/net/a', 'net.a/', 'net/a b', 'net.a\0'])
    t.is(sysctlPathOf(name), undefined, name);
});

test('the runtime is sent the container’s profile, else the pod’s, else the default of the kubelet', (t) => {
  const send = (pod: Pod, confinement = {}) => {
    const [container] = pod.spec.containers;
    if (!container) throw new Error('no container');
    return containerConfigOf(pod, container, undefined, {confinement: {seccompRoot: '/profiles', ...confinement}}).linux
      ?.securityContext;
  };
  t.is(send(podOf(''))?.seccomp, undefined);
  t.deepEqual(send(podOf(''), {seccompDefault: true})?.seccomp, {profileType: 'RuntimeDefault'});
  const shared = 'securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/b.json}}';
  t.deepEqual(send(podOf(shared))?.seccomp, {profileType: 'Localhost', localhostRef: '/profiles/a/b.json'});
  t.deepEqual(send(podOf(shared, 'seccompProfile: {type: RuntimeDefault}'))?.seccomp, {profileType: 'RuntimeDefault'});
  t.is(send(podOf(shared, 'seccompProfile: {type: Unconfined}'), {seccompDefault: true})?.seccomp, undefined);
  t.deepEqual(send(podOf('', 'appArmorProfile: {type: Localhost, localhostProfile: p}'))?.apparmor, {
    profileType: 'Localhost',
    localhostRef: 'p',
  });
  t.deepEqual(send(podOf('securityContext: {seLinuxOptions: {level: s0}}'))?.selinuxOptions, {level: 's0'});
  t.is(send(podOf('securityContext: {supplementalGroupsPolicy: Strict}'))?.supplementalGroupsPolicy, 'Strict');
  t.deepEqual(send(podOf('', 'runAsGroup: 5'))?.runAsUser, {value: 0}, 'a group needs a user');
  t.is(sandboxConfigOf(podOf(''), undefined).linux?.securityContext?.seccomp, undefined);
});
