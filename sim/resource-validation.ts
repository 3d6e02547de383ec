import type {FieldError} from './field-error.ts';
import {forbidden, invalid, required} from './field-error.ts';
import type {PodContainer} from './pod.ts';
import {parseQuantity} from './quantity.ts';

const standard = ['cpu', 'memory', 'ephemeral-storage'];

/**
 * What the API says against the resources of a container.
 * Source: kubernetes pkg/apis/core/validation/validation.go ValidateContainerResourceRequirements, 1.36.
 */
export function resourceErrors({resources}: PodContainer, path: string): FieldError[] {
  const {limits, requests} = resources;
  const errors: FieldError[] = [];
  for (const [list, amounts] of Object.entries({limits, requests})) {
    for (const [name, text] of Object.entries(amounts)) {
      const at = `${path}.resources.${list}[${name}]`;
      if (!name.includes('/') && !standard.includes(name) && !name.startsWith('hugepages-'))
        errors.push(invalid(at, name, 'must be a standard resource for containers'));
      if ((parseQuantity(text) ?? 0n) < 0n) errors.push(invalid(at, text, 'must be greater than or equal to 0'));
    }
  }
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name];
    const at = `${path}.resources.requests`;
    const isExact = name.startsWith('hugepages-') || name.includes('/');
    if (limit === undefined) {
      if (isExact)
        errors.push(required(`${path}.resources.limits`, 'Limit must be set for non overcommitable resources'));
      continue;
    }
    const [asked = 0n, most = 0n] = [parseQuantity(request), parseQuantity(limit)];
    if (isExact && asked !== most) errors.push(invalid(at, request, `must be equal to ${name} limit of ${limit}`));
    else if (asked > most) errors.push(invalid(at, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
  const names = Object.keys({...limits, ...requests});
  if (names.some((name) => name.startsWith('hugepages-')) && !names.includes('cpu') && !names.includes('memory'))
    errors.push(forbidden(`${path}.resources`, 'HugePages require cpu or memory'));
  return errors;
}
