import type {KubernetesVersion} from './kubernetes-versions.ts';
import {minorOf, NEWEST_MINOR} from './kubernetes-versions.ts';

/**
 * What the API says against the name of a variable; empty when it is fine. From 1.32 on nearly everything is.
 * Source: apimachinery pkg/util/validation IsEnvVarName, IsRelaxedEnvVarName; gate RelaxedEnvironmentVariableValidation, on from 1.32.
 */
export function envNameErrors(name: string, kubernetes: KubernetesVersion = `1.${NEWEST_MINOR}`): string[] {
  if (minorOf(kubernetes) >= 32) {
    if (/^[\x20-\x3c\x3e-\x7e]+$/.test(name)) return [];
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
  }
  const errors = [];
  if (!/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name))
    errors.push(
      "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a " +
        "digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
    );
  if (name === '.') errors.push("must not be '.'");
  else if (name === '..') errors.push("must not be '..'");
  else if (name.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}
