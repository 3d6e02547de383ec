import test from 'ava';
import fc from 'fast-check';
import type {errnoTable} from '../../native-free/errno.ts';
import {errorRegister} from '../../native-free/error-register.ts';
import {fillCause} from '../../native-free/explain/cause.ts';
import {causeIds, causes} from '../../native-free/explain/causes.ts';
import {explainCode, isErrorCode} from '../../native-free/explain/explain-code.ts';
import {explainErrno} from '../../native-free/explain/explain-errno.ts';
import {explainText, MAX_TEXT_LENGTH} from '../../native-free/explain/explain-text.ts';
import {findCalls, findErrnos} from '../../native-free/explain/find-calls.ts';
import {findOperation, operations} from '../../native-free/explain/operations.ts';
import {causesOfCodes} from '../../native-free/explain/own-errors.ts';
import {symptoms} from '../../native-free/explain/symptoms.ts';

const ids = (text: string): string[] => explainText(text).explanations.map(({id}) => id);

for (const {source, example, causes: expected} of symptoms) {
  test(`${source} says "${example.trim().slice(0, 90)}": ${expected[0]}`, (t) => {
    const found = ids(example);
    t.true(expected.includes(found[0] as (typeof expected)[number]), `first: ${found[0]}`);
    for (const id of expected) t.true(found.includes(id), id);
  });
}

/** Whole outputs, as they are pasted: the first cause, and what else must be among them. */
const outputs: readonly (readonly [title: string, text: string, first: string, ...others: string[]])[] = [
  [
    'the events of a pod whose block ends at 2^32',
    `Events:
  Type     Reason                  Age   From     Message
  ----     ------                  ----  ----     -------
  Normal   Scheduled               12s   default-scheduler  Successfully assigned default/web to node-1
  Warning  FailedCreatePodSandBox  11s   kubelet  Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox "x": failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error starting setns process: fork/exec /proc/self/exe: invalid argument`,
    'block-touches-last-id',
  ],
  [
    'the events of a pod on a node whose runtime is too old',
    "Warning  FailedCreatePodSandBox  3s (x5 over 50s)  kubelet  Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    'runtime-without-userns',
  ],
  [
    'a refusal of the API server',
    'The Pod "web" is invalid: spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false',
    'host-namespaces-with-hostusers',
  ],
  [
    'an NFS volume, quoted for JSON',
    '{"message":"error mounting \\"/var/lib/kubelet/pods/1/volumes/kubernetes.io~nfs/data\\" to rootfs at \\"/data\\": failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/1/volumes/kubernetes.io~nfs/data: invalid argument (maybe the source filesystem doesn\'t support idmap mounts on this kernel?)"}',
    'idmap-unsupported',
    'idmap-network-file-system',
  ],
  [
    'podman with a newuidmap that lost its privilege',
    'ERRO[0000] running `/usr/bin/newuidmap 4242 0 1000 1 1 100000 65536`: newuidmap: write to uid_map failed: Operation not permitted\nError: cannot set up namespace using "/usr/bin/newuidmap": should have setuid or have filecaps setuid: exit status 1',
    'helper-unprivileged',
    'helper-nosuid',
    'no-new-privs',
  ],
  [
    'podman that cannot unpack an image',
    'Error: copying system image from manifest list: writing blob: adding layer with blob "sha256:0": processing tar file(potentially insufficient UIDs or GIDs available in user namespace (requested 1516583083:0 for /usr/lib/x): Check /etc/subuid and /etc/subgid if configured locally and run "podman system migrate": lchown /usr/lib/x: invalid argument): exit status 1',
    'image-id-outside-map',
    'stale-outer-namespace',
  ],
  [
    'a coloured line of unshare on Ubuntu',
    '\u001b[31munshare: write failed /proc/self/uid_map: Operation not permitted\u001b[0m',
    'userns-apparmor',
  ],
  [
    'the journal of Ubuntu beside bwrap',
    'kernel: audit: type=1400 audit(1723479095.677:169): apparmor="AUDIT" operation="userns_create" class="namespace" info="Userns create - transitioning profile" profile="unconfined" pid=2710574 comm="bwrap" requested="userns_create" target="unprivileged_userns"\nbwrap: setting up uid map: Permission denied',
    'userns-apparmor',
  ],
  [
    'crun in a container with a masked proc',
    'Error: crun: mount `proc` to `proc`: Operation not permitted: OCI permission denied',
    'proc-masked',
  ],
  [
    'strace of an unshare that is refused',
    '4242  unshare(CLONE_NEWNS|CLONE_NEWUSER)      = -1 EPERM (Operation not permitted)',
    'seccomp-filter',
    'userns-chroot',
  ],
  [
    'strace of a chown to an id outside of the map',
    'fchownat(AT_FDCWD, "x", 70000, 70000, 0) = -1 EINVAL (Invalid argument)',
    'id-unmapped',
  ],
  [
    'Node that may not open a file of nobody',
    "Error: EACCES: permission denied, open '/data/config.json'",
    'owner-unmapped',
    'parent-closed',
    'mode-bits',
  ],
  ['perror(3) of a setns', 'setns: Operation not permitted', 'join-no-power'],
  ['Go that may not change into a folder', 'chdir /home/anna/app: permission denied', 'parent-closed'],
  [
    'an error of ours',
    'subroot: user anna has no subordinate ids in /etc/subuid\nTo mend: `usermod …` [SUBROOT_SUBID_NONE]',
    'SUBROOT_SUBID_NONE',
    'subid-none',
  ],
];

for (const [title, text, first, ...others] of outputs) {
  test(`whole output: ${title}: ${first}`, (t) => {
    const found = ids(text);
    t.is(found[0], first);
    for (const id of others) t.true(found.includes(id), id);
  });
}

const strangers: readonly string[] = [
  '',
  'hello',
  'Permission denied',
  'Operation not permitted',
  'npm ERR! code E404',
  'make: *** [all] Error 2',
  'the mount of the horse was not permitted by the referee',
  'We killed the open question: access is a matter of trust',
  'E: Unable to locate package fork',
  'ssh: connect to host example port 22: Connection refused',
  'mount it again: Operation on the hip not permitted',
];

for (const text of strangers) {
  test(`nothing is made up for "${text}"`, (t) => {
    t.deepEqual(explainText(text).explanations, []);
  });
}

test('a text that nobody knows names its errnos and how much was looked for', (t) => {
  const {explanations, errnos, lookedFor} = explainText('frobnicate: No space left on device (EPERM)');
  t.deepEqual(explanations, []);
  t.deepEqual(errnos, ['EPERM', 'ENOSPC']);
  t.is(lookedFor.messages, symptoms.length);
  t.is(lookedFor.operations, operations.length);
});

test('values of a message come into the words of a cause, and without them there are words for it', (t) => {
  t.is(fillCause('file of {id|somebody} in {path|that folder}', {id: ' 70000 '}), 'file of 70000 in that folder');
  t.is(fillCause('{x|}', {x: '\u001b[2J'}), '\\x1b[2J');
  const [first] = explainText('record pod mappings: id 626982912 is out of range').explanations;
  t.regex(first?.why ?? '', /\(626982912\)/);
  const [grant] = explainText('No subuid ranges found for user "vagrant" in /etc/subuid').explanations;
  t.regex(grant?.why ?? '', /user vagrant has no line in \/etc\/subuid/);
});

test('a longer message takes what lies within it', (t) => {
  t.deepEqual(ids('failed to create fsnotify watcher: too many open files'), ['inotify-budget']);
  t.deepEqual(ids('too many open files'), ['open-files', 'inotify-budget']);
});

test('every text of every cause is a sentence without a full stop, and its looks only look', (t) => {
  for (const id of causeIds) {
    const {why, mend, look} = causes[id];
    for (const text of [why, mend]) {
      t.notRegex(text, /\.$|^\s|\s$|\n/, id);
      t.notRegex(fillCause(text), /\{\w+\|/, id);
    }
    t.true(look.length > 0, id);
    for (const command of look)
      t.notRegex(command, /\b(?:sysctl -w|chmod|chown|rm|mount -|usermod|echo .*>)\b/, `${id}: ${command}`);
  }
});

test('every cause is reached by a message, an operation or a code', (t) => {
  const reached = new Set<string>([
    ...symptoms.flatMap((symptom) => symptom.causes),
    ...operations.flatMap(({refusals}) => Object.values(refusals).flat()),
    ...Object.values(causesOfCodes).flat(),
  ]);
  t.deepEqual(
    causeIds.filter((id) => !reached.has(id)),
    [],
  );
});

test('every operation is found by its own name', (t) => {
  for (const {name, refusals} of operations) {
    const [call = '', ...about] = name.split(' ');
    t.deepEqual(findOperation(call, about.join(' '))?.refusals, refusals, name);
  }
});

/** Which errno the model answers with for each rule. Source: MapRefusal of native-free/write-id-map.ts. */
const mapRules: readonly (readonly [
  call: string,
  about: string,
  errno: keyof typeof errnoTable,
  rules: readonly string[],
])[] = [
  ['open', 'uid_map', 'EROFS', ['idmap-open-read-only']],
  ['open', '/proc/1/gid_map', 'EACCES', ['idmap-open-owner']],
  ['open', 'setgroups', 'EACCES', ['setgroups-open-sys-admin']],
  [
    'write',
    'uid_map',
    'EPERM',
    [
      'idmap-initial-namespace',
      'idmap-opener-namespace',
      'idmap-already-written',
      'idmap-sys-admin',
      'idmap-setfcap',
      'idmap-setid-capability',
      'idmap-parent-unmapped',
    ],
  ],
  [
    'write',
    'gid_map',
    'EINVAL',
    [
      'idmap-offset',
      'idmap-too-long',
      'idmap-syntax',
      'idmap-invalid-id',
      'idmap-no-ids',
      'idmap-past-last-id',
      'idmap-overlap',
      'idmap-too-many-extents',
    ],
  ],
  ['write', 'setgroups', 'EPERM', ['setgroups-after-gid-map', 'setgroups-denied']],
  ['write', 'setgroups', 'EINVAL', ['setgroups-offset', 'setgroups-too-long', 'setgroups-word']],
];

for (const [call, about, errno, rules] of mapRules) {
  test(`${errno} of ${call} ${about} has every rule of the model`, (t) => {
    const found = explainErrno(errno, call, about).explanations.map(({id}) => id);
    for (const rule of rules) t.true(found.includes(rule), rule);
  });
}

test('an errno that an operation does not answer with is told with those it does', (t) => {
  t.deepEqual(explainErrno('ECHILD', 'mount', 'proc'), {
    errno: 'ECHILD',
    operation: 'mount proc',
    explanations: [],
    known: ['EPERM', 'EACCES'],
  });
  t.is(explainErrno('EPERM', 'dance', '').operation, undefined);
});

test('every code of ours is explained, with the values that are known', (t) => {
  for (const code of Object.keys(errorRegister)) {
    t.true(isErrorCode(code));
    if (!isErrorCode(code)) continue;
    const [own] = explainCode(code);
    t.is(own?.id, code);
    t.notRegex(`${own?.why}${own?.mend}`, /\{\w+\}/, code);
  }
  const [own] = explainCode('SUBROOT_SUBID_NONE', {user: 'anna', file: '/etc/subuid'});
  t.is(own?.why, 'user anna has no subordinate ids in /etc/subuid');
  t.regex(explainCode('SUBROOT_SUBID_NONE')[0]?.why ?? '', /user ‹user›/);
});

test('calls are found as strace, Node and perror(3) print them, and only those that are known', (t) => {
  const text = [
    'mount("proc", "/newroot/proc", "proc", MS_NOSUID, NULL) = -1 EPERM (Operation not permitted)',
    "Error: EROFS: read-only file system, mkdir '/usr/x'",
    'setgroups: Operation not permitted',
    'sing("la") = -1 EPERM (Operation not permitted)',
  ].join('\n');
  t.deepEqual(
    findCalls(text).map(({call, errno}) => [call, errno]),
    [
      ['mount', 'EPERM'],
      ['mkdir', 'EROFS'],
      ['setgroups', 'EPERM'],
    ],
  );
  t.deepEqual(findErrnos('Permission denied, EPERM, Permission denied'), ['EPERM', 'EACCES']);
});

test('any text has an answer that is safe to print, the same each time', (t) => {
  const words = fc.constantFrom(
    ...symptoms.map(({example}) => example),
    'mount("proc") = -1 EPERM',
    '\u001b[2J',
    'SUBROOT_USAGE',
    '\n',
    ': Operation not permitted',
  );
  const texts = fc.array(fc.oneof(words, fc.string({unit: 'binary', maxLength: 40})), {maxLength: 12});
  fc.assert(
    fc.property(texts, (parts) => {
      const text = parts.join(' ');
      const {explanations} = explainText(text);
      t.deepEqual(explainText(text).explanations, explanations);
      for (const {id, why, mend, look, foundBy} of explanations) {
        t.true(causeIds.includes(id as (typeof causeIds)[number]) || isErrorCode(id));
        for (const shown of [why, mend, foundBy, ...look]) t.notRegex(shown, /[\x00-\x1f\x7f]/);
      }
    }),
    {numRuns: 300},
  );
});

test('of a text without end the end is read', (t) => {
  const text = `${'x '.repeat(MAX_TEXT_LENGTH)}\nnewuidmap: subuid overflow detected.\n`;
  t.is(ids(text)[0], 'subid-overflow');
});
