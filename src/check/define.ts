import {type Attempt, runAttempt} from './attempt.ts';
import type {AttemptResult, Check, Measurement, Need} from './check.ts';
import {classifyUsable, mergeArms, words} from './classify.ts';
import type {Ability, Arm, CheckClass, Reference} from './result.ts';
import type {Scene} from './scene.ts';

type Written = Pick<Check, 'id' | 'title' | 'group' | 'gain' | 'attempt' | 'rule'> & {
  readonly references?: readonly Reference[];
  readonly needs?: readonly Need[];
  readonly abilities?: readonly Ability[];
  readonly alone?: boolean;
  readonly expected?: Check['expected'];
};

const got = 'gets through';

/** Ids alone block it: a root with the default capabilities gets through, so that dropping capabilities is no help. */
export function expectedOfIds(...errnos: readonly string[]): Check['expected'] {
  const refused = `refused: ${errnos.join(' or ')}`;
  return {'control-all': got, 'control-default': got, 'treatment-all': refused, 'treatment-default': refused};
}

/** Only a privileged root could: the namespace makes the same capability harmless. */
export function expectedOfCapability(control: string, ...errnos: readonly string[]): Check['expected'] {
  const refused = `refused: ${errnos.join(' or ')}`;
  return {
    'control-all': got,
    'control-default': `refused: ${control}`,
    'treatment-all': refused,
    'treatment-default': refused,
  };
}

function check(written: Written, kind: CheckClass, measure: Check['measure'], own: Partial<Check> = {}): Check {
  const {references = [], needs = [], abilities = [], expected = {}, ...rest} = written;
  return {...rest, references, needs, abilities, expected, class: kind, measure, ...own};
}

async function runAll(scene: Scene, id: string, attempts: readonly Attempt[]): Promise<AttemptResult[]> {
  const results: AttemptResult[] = [];
  for (const attempt of attempts) results.push(await runAttempt(scene, id, attempt));
  return results;
}

/** A check that tries something in four arms. `kind`: `U` where ids alone block it, `K` where the capability is made harmless. */
export function tried(kind: 'U' | 'K', written: Written, ...attempts: readonly Attempt[]): Check {
  const measure = async (scene: Scene): Promise<Measurement> => ({
    kind: 'attempts',
    attempts: await runAll(scene, written.id, attempts),
  });
  return check(written, kind, measure, {
    needs: ['root', ...(written.needs ?? [])],
    abilities: ['outside', ...(written.abilities ?? [])],
  });
}

/** What a pod must still be able to do. `must`: the arms that have to get through. A control of the same name shows whether the machine can. */
export function usable(written: Written, must: readonly Arm[], ...attempts: readonly Attempt[]): Check {
  const measure = async (scene: Scene): Promise<Measurement> => {
    const results = await runAll(scene, written.id, attempts);
    return {kind: 'found', ...classifyUsable(results, must), arms: mergeArms(results)};
  };
  return check({...written, group: written.group}, 'usable', measure, {
    needs: ['root', ...(written.needs ?? [])],
    abilities: ['outside', ...(written.abilities ?? [])],
  });
}

export type Found = Omit<Extract<Measurement, {kind: 'found'}>, 'kind'>;

/** A fact that must hold of the pod, read from /proc or asked of the target. */
export function invariant(written: Written, find: (scene: Scene) => Found | Promise<Found>): Check {
  return check(written, 'invariant', async (scene) => ({kind: 'found', ...(await find(scene))}));
}

/** What a user namespace does not stop: shown, and never a pass. */
export function byDesign(written: Written & {readonly insteadUse: string}, ...attempts: readonly Attempt[]): Check {
  const {insteadUse, ...rest} = written;
  const measure = async (scene: Scene): Promise<Measurement> => {
    const results = await runAll(scene, written.id, attempts);
    const arms = mergeArms(results);
    const through = arms.find(({arm, ended}) => arm.startsWith('treatment') && ended === 'succeeded');
    const stopped = arms.find(({arm}) => arm.startsWith('treatment'));
    const seen =
      attempts.length === 0
        ? 'not tried here'
        : through
          ? `seen here: ${words[through.arm]} got through`
          : `not seen here: ${stopped?.why ?? stopped?.errno ?? 'no effect'}`;
    return {kind: 'found', outcome: 'by-design', reason: `${seen}. What stops it: ${insteadUse}`, arms};
  };
  return check(rest, 'by-design', measure, {
    ...(attempts.length === 0
      ? {}
      : {needs: ['root', ...(written.needs ?? [])], abilities: ['outside', ...(written.abilities ?? [])]}),
  });
}

// ── references, by their short names

const reference =
  (kind: Reference['kind'], confirmed: boolean) =>
  (id: string): Reference => ({kind, id, confirmed});

const seenInSources = new Set(['T1611', 'T1610', 'T1613', 'T1068', 'T1055.008', 'T1548.001']);
export const cve = reference('CVE', true);
/** A technique of ATT&CK. Some numbers are from general knowledge, and say so. */
export const attack = (id: string): Reference => ({kind: 'ATT&CK', id, confirmed: seenInSources.has(id)});
/** A risk of NIST SP 800-190 by its number. */
export const nist = reference('NIST', true);
/** An item of the CIS Kubernetes Benchmark, numbered as kube-bench's cis-1.12. */
export const cis = reference('CIS Kubernetes', true);
/** An item of the CIS Docker Benchmark, numbered as docker-bench-security's. */
export const docker = reference('CIS Docker', true);
export const kubernetes = reference('Kubernetes', true);
