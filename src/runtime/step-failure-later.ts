import type {SubrootError} from '../../native-free/errors.ts';
import {AgentFailure} from '../host/agent.ts';
import type {Step} from '../host/step.ts';

/** As explainStep, with its tables loaded only now: a start that works needs none of them. */
export async function explainStepLater(
  failure: AgentFailure,
  steps: readonly Step[],
  action: string,
): Promise<SubrootError> {
  const {explainStep} = await import('./step-failure.ts');
  return explainStep(failure, steps, action);
}

/** The error of ours for a plan's refusal, and any other error as it is. */
export async function explained(error: unknown, steps: readonly Step[], action: string): Promise<unknown> {
  return error instanceof AgentFailure ? await explainStepLater(error, steps, action) : error;
}
