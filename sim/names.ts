const labelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomainFormat = `${labelFormat}(\\.${labelFormat})*`;
const label = new RegExp(`^${labelFormat}$`);
// One label after another, each matched on its own: the API's single expression is slow on long hostile names here.
const isSubdomain = (name: string) => name.split('.').every((part) => label.test(part));

/**
 * What the API says against a DNS-1123 label (container and volume names, namespaces); empty when the name is fine.
 * Source: apimachinery pkg/util/validation IsDNS1123Label, 1.36.
 */
export function labelNameErrors(name: string): string[] {
  const errors = [];
  if (name.length > 63) errors.push('must be no more than 63 characters');
  if (name.length > 4096 || !label.test(name)) {
    if (name.length <= 4096 && isSubdomain(name)) errors.push('must not contain dots');
    else {
      errors.push(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
          `alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${labelFormat}')`,
      );
    }
  }
  return errors;
}

/**
 * What the API says against a DNS-1123 subdomain (pod names); empty when the name is fine.
 * Source: apimachinery pkg/util/validation IsDNS1123Subdomain, 1.36.
 */
export function subdomainNameErrors(name: string): string[] {
  const errors = [];
  if (name.length > 253) errors.push('must be no more than 253 characters');
  if (name.length > 4096 || !isSubdomain(name)) {
    errors.push(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with " +
        `an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomainFormat}')`,
    );
  }
  return errors;
}
