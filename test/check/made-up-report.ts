import type {ArmResult, CheckResult, Outcome, Report} from '../../src/check/result.ts';

const base = 1_442_447_360;

function arm(name: ArmResult['arm'], errno: string | undefined, value?: string): ArmResult {
  const isPod = name.startsWith('treatment');
  return {
    arm: name,
    ended: errno === undefined ? 'succeeded' : 'refused',
    ...(errno === undefined ? {} : {errno}),
    reached: true,
    observations: [
      {did: 'open(secret, O_RDONLY)', ...(errno === undefined ? {} : {errno}), ...(value === undefined ? {} : {value})},
    ],
    attacker: {
      pid: 4711,
      startTime: '99',
      uid: isPod ? base : 0,
      gid: isPod ? base : 0,
      groups: [],
      userNamespace: isPod ? 4_026_532_177 : 4_026_531_837,
      capabilities: name.endsWith('all') ? '000001ffffffffff' : '00000000a80425fb',
    },
  };
}

function result(id: string, outcome: Outcome, more: Partial<CheckResult> = {}): CheckResult {
  return {
    id,
    title: `a fact about ${id}`,
    group: 2,
    class: 'U',
    outcome,
    reason: `it ended as ${outcome}`,
    expected: {'control-default': 'succeeds', 'treatment-default': 'EACCES'},
    arms: [arm('control-default', undefined, 'canary'), arm('treatment-default', 'EACCES')],
    evidence: {},
    references: [],
    durationMs: 12,
    ...more,
  };
}

/** What a hostile container could bring into a report: it must come out as text in every form. */
export const hostile = `\x1b[31m<script>alert("1")</script> & ]]> | #1 \\ \u202e'`;

const results: readonly CheckResult[] = [
  result('userns-not-initial', 'blocked', {group: 1, class: 'invariant', arms: []}),
  result('read-root-0600', 'blocked', {
    references: [
      {kind: 'CVE', id: 'CVE-2021-25741', confirmed: true},
      {kind: 'ATT&CK', id: 'T1003.008', confirmed: false},
    ],
    evidence: {block: `${base}-${base + 65_535}`, 'owner of the canary': '0:0'},
  }),
  result('write-root-0644', 'not-blocked', {
    reason: `the pod wrote ${hostile}`,
    arms: [arm('control-all', undefined), arm('treatment-all', undefined, hostile)],
  }),
  result('open-by-handle', 'inconclusive', {class: 'K'}),
  result('load-module', 'not-possible', {group: 3, arms: [], reason: 'this kernel has no modules'}),
  result('mount-tmpfs', 'works', {group: 7, class: 'usable'}),
  result('chown-in-range', 'broken', {group: 7, class: 'usable'}),
  result('proc-cmdline-visible', 'by-design', {group: 8, class: 'by-design'}),
];

/** A report with a result of every outcome; nothing in it was measured. */
export function madeUpReport(target = 'oci:runc', only?: readonly Outcome[]): Report {
  const chosen = results.filter(({outcome}) => only === undefined || only.includes(outcome));
  const count = (outcome: Outcome) => chosen.filter((each) => each.outcome === outcome).length;
  return {
    schema: 'urn:subroot:check-report:1',
    subroot: '0.1.0',
    target: {
      target,
      version: 'runc 1.1.5',
      abilities: {
        start: true,
        'two-pods': true,
        'same-range': true,
        control: true,
        exec: true,
        'all-capabilities': true,
        mounts: true,
        'idmapped-mounts': true,
        stdio: true,
        outside: true,
      },
      notes: ['a remark <of> the target'],
    },
    pods: [
      {
        name: 'a',
        pid: 100,
        userNamespace: 4_026_532_177,
        uids: [{containerId: 0, hostId: base, size: 65_536}],
        gids: [{containerId: 0, hostId: base, size: 65_536}],
        hostUid: base,
      },
      {name: 'b', pid: 101},
    ],
    machine: {kernel: '6.18.0', arch: 'x64', cgroup: 'v2', lsm: 'none'},
    seed: 'seed-1',
    startedAt: '2026-11-27T12:00:00.000Z',
    durationMs: 1234.5,
    results: chosen,
    summary: {
      blocked: count('blocked'),
      'not-blocked': count('not-blocked'),
      inconclusive: count('inconclusive'),
      'not-possible': count('not-possible'),
      'by-design': count('by-design'),
      works: count('works'),
      broken: count('broken'),
    },
  };
}
