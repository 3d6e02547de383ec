/**
 * A resource quantity (`500m`, `1.5Gi`, `1e3`) as whole billionths, rounded up as the API does; undefined for a text that is none.
 * Source: apimachinery pkg/api/resource/quantity.go ParseQuantity, 1.37.
 */
export function parseQuantity(text: string): bigint | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?([a-zA-Z]*|[eE][+-]?\d+)$/.exec(text);
  if (!match || text.length > 100) return undefined;
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const scale = scaleOf(suffix);
  if (scale === undefined) return undefined;
  const digits = BigInt(whole + fraction);
  // digits × numerator / (10^fraction × denominator), in billionths
  const numerator = digits * scale.numerator * 1_000_000_000n;
  const denominator = 10n ** BigInt(fraction.length) * scale.denominator;
  const nano = divideUp(numerator, denominator);
  return sign === '-' ? -nano : nano;
}

/** A quantity in whole divisors, rounded up: memory of `64Mi` by `1Mi` is 64. Both in billionths; the divisor is above 0. */
export function quantityIn(quantity: bigint, divisor: bigint): bigint {
  return divideUp(quantity, divisor);
}

function divideUp(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator > 0n && numerator % denominator !== 0n ? quotient + 1n : quotient;
}

const decimal: Readonly<Record<string, number>> = {n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18};
const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

function scaleOf(suffix: string): {numerator: bigint; denominator: bigint} | undefined {
  const power = binary.indexOf(suffix) + 1;
  if (power > 0) return {numerator: 1024n ** BigInt(power), denominator: 1n};
  const exponent = decimal[suffix] ?? Number(/^[eE]([+-]?\d{1,3})$/.exec(suffix)?.[1] ?? Number.NaN);
  // Beyond what any machine has: the API caps such values.
  if (!(exponent >= -40 && exponent <= 40)) return undefined;
  return exponent >= 0
    ? {numerator: 10n ** BigInt(exponent), denominator: 1n}
    : {numerator: 1n, denominator: 10n ** BigInt(-exponent)};
}
