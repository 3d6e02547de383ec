import {judgeBudgets} from './budget-findings.ts';
import type {MachineFacts} from './facts.ts';
import {type Diagnosis, type Finding, type ModeState, type RealMode, realModes} from './finding.ts';
import {judgeHelpers} from './helper-findings.ts';
import {judgeIdentity} from './identity-findings.ts';
import {judgeKernel} from './kernel-findings.ts';
import {judgeMounts} from './mount-findings.ts';
import {judgeStanding} from './place-findings.ts';
import {judgeRecords} from './record-findings.ts';
import {judgeSubordinateIds} from './subordinate-findings.ts';
import {judgeSurroundings} from './surroundings-findings.ts';
import {judgeTools} from './tool-findings.ts';

/** Judges a machine: every finding, and for each mode whether it works and what stops it. Pure; the same facts give the same answer. */
export function diagnose(facts: MachineFacts): Diagnosis {
  const findings = facts.platform === 'linux' ? judgeLinux(facts) : [notLinux(facts)];
  return concludeFrom(findings);
}

function judgeLinux(facts: MachineFacts): Finding[] {
  return [
    ...judgeKernel(facts),
    ...judgeStanding(facts),
    ...judgeMounts(facts),
    ...judgeIdentity(facts),
    ...judgeHelpers(facts),
    ...judgeSubordinateIds(facts),
    ...judgeRecords(facts),
    ...judgeSurroundings(facts),
    ...judgeBudgets(facts),
    ...judgeTools(facts),
  ];
}

function notLinux({platform}: MachineFacts): Finding {
  return {
    id: 'linux',
    severity: 'fail',
    layer: 'operating system',
    found: `this is ${platform}; user namespaces are Linux's`,
    expected: 'Linux',
    mend: 'use the simulated node here, or run subroot in a Linux virtual machine',
    affects: realModes,
  };
}

/** The modes that a list of findings leaves, and the strongest of them. */
export function concludeFrom(findings: readonly Finding[]): Diagnosis {
  const stateOf = (mode: RealMode): ModeState => {
    const stoppedBy = findings
      .filter((each) => each.severity === 'fail' && each.affects.includes(mode))
      .map(({id}) => id);
    return {works: stoppedBy.length === 0, stoppedBy: [...new Set(stoppedBy)]};
  };
  const modes = {
    host: stateOf('host'),
    subid: stateOf('subid'),
    single: stateOf('single'),
    simulated: {works: true, stoppedBy: []},
  };
  return {modes, best: realModes.find((mode) => modes[mode].works) ?? 'simulated', findings};
}
