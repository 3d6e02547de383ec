import {isIP} from 'node:net';
import type {FieldError} from './field-error.ts';
import {invalid, required, unsupported} from './field-error.ts';
import {labelNameErrors, subdomainNameErrors} from './names.ts';
import type {PodSpec} from './pod.ts';

const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;

/**
 * What the API says against the names and the DNS of a pod.
 * Source: kubernetes pkg/apis/core/validation/validation.go ValidateHostAliases, validatePodDNSConfig, validateDNSPolicy, 1.36.
 */
export function hostErrors(spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.subdomain !== undefined)
    for (const detail of labelNameErrors(spec.subdomain))
      errors.push(invalid('spec.subdomain', spec.subdomain, detail));
  for (const [i, {ip, hostnames}] of spec.hostAliases.entries()) {
    const at = `spec.hostAliases[${i}]`;
    if (isIP(ip) === 0)
      errors.push(invalid(`${at}.ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'));
    for (const [j, name] of hostnames.entries())
      for (const detail of subdomainNameErrors(name)) errors.push(invalid(`${at}.hostnames[${j}]`, name, detail));
  }
  return [...errors, ...dnsErrors(spec)];
}

function dnsErrors({dnsPolicy, dnsConfig}: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (dnsPolicy !== undefined && !dnsPolicies.includes(dnsPolicy))
    errors.push(unsupported('spec.dnsPolicy', dnsPolicy, dnsPolicies));
  if (dnsPolicy === 'None') {
    if (!dnsConfig) errors.push(required('spec.dnsConfig', 'must provide `dnsConfig` when `dnsPolicy` is None'));
    else if (dnsConfig.servers.length === 0)
      errors.push(
        required('spec.dnsConfig.nameservers', 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
      );
  }
  if (!dnsConfig) return errors;
  const {servers, searches, options} = dnsConfig;
  if (servers.length > MAX_NAMESERVERS)
    errors.push(
      invalid('spec.dnsConfig.nameservers', servers, `must not have more than ${MAX_NAMESERVERS} nameservers`),
    );
  for (const [i, server] of servers.entries()) {
    const detail = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
    if (isIP(server) === 0) errors.push(invalid(`spec.dnsConfig.nameservers[${i}]`, server, detail));
  }
  if (searches.length > MAX_SEARCHES)
    errors.push(invalid('spec.dnsConfig.searches', searches, `must not have more than ${MAX_SEARCHES} search paths`));
  if (searches.join(' ').length > MAX_SEARCH_CHARACTERS)
    errors.push(
      invalid(
        'spec.dnsConfig.searches',
        searches,
        `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`,
      ),
    );
  for (const [i, search] of searches.entries()) {
    // A dot alone, and one at the end, are names too; from 1.32 on an underscore may begin a part.
    const name = search.replace(/(?<=.)\.$/, '').replaceAll('_', '');
    if (search === '.') continue;
    for (const detail of subdomainNameErrors(name))
      errors.push(invalid(`spec.dnsConfig.searches[${i}]`, search, detail));
  }
  for (const [i, option] of options.entries())
    if (option === '' || option.startsWith(':'))
      errors.push(required(`spec.dnsConfig.options[${i}]`, 'must not be empty'));
  return errors;
}
