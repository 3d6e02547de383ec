type Schema = Readonly<Record<string, unknown>>;

/** What a value has against a JSON Schema, as paths with reasons; empty when it fits. Knows the words that src/cli/schemas.ts uses and no other. */
export function findSchemaFaults(schema: Schema, value: unknown, path = '$'): string[] {
  const known = [
    ...['$schema', 'title', 'type', 'properties', 'required', 'additionalProperties'],
    ...['items', 'enum', 'anyOf', 'oneOf', 'minimum', 'maximum', 'pattern'],
  ];
  const faults = Object.keys(schema)
    .filter((word) => !known.includes(word))
    .map((word) => `${path}: the test does not know "${word}"`);
  const {
    type,
    properties = {},
    required,
    items,
    anyOf,
    oneOf,
    minimum,
    maximum,
    pattern,
    additionalProperties,
  } = schema as {
    readonly type?: string;
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
    readonly items?: Schema;
    readonly anyOf?: readonly Schema[];
    readonly oneOf?: readonly Schema[];
    readonly minimum?: number;
    readonly maximum?: number;
    readonly pattern?: string;
    readonly additionalProperties?: boolean | Schema;
  };
  if (type !== undefined && !hasType(type, value))
    return [...faults, `${path}: is ${JSON.stringify(value)}, not ${type}`];
  if (Array.isArray(schema.enum) && !schema.enum.includes(value))
    faults.push(`${path}: ${JSON.stringify(value)} is none of ${JSON.stringify(schema.enum)}`);
  if (typeof value === 'number' && (value < (minimum ?? -Infinity) || value > (maximum ?? Infinity)))
    faults.push(`${path}: ${value} is out of range`);
  if (typeof value === 'string' && pattern !== undefined && !new RegExp(pattern).test(value))
    faults.push(`${path}: ${JSON.stringify(value)} does not match ${pattern}`);
  if (anyOf?.every((each) => findSchemaFaults(each, value, path).length > 0))
    faults.push(`${path}: fits none of anyOf`);
  if (oneOf !== undefined && oneOf.filter((each) => findSchemaFaults(each, value, path).length === 0).length !== 1)
    faults.push(`${path}: fits not exactly one of oneOf`);
  if (Array.isArray(value) && items !== undefined)
    faults.push(...value.flatMap((item, index) => findSchemaFaults(items, item, `${path}[${index}]`)));
  if (hasType('object', value)) {
    const fields = value as Readonly<Record<string, unknown>>;
    for (const name of required ?? []) if (!(name in fields)) faults.push(`${path}: lacks ${name}`);
    for (const [name, field] of Object.entries(fields)) {
      const property = properties[name];
      if (property !== undefined) faults.push(...findSchemaFaults(property, field, `${path}.${name}`));
      else if (typeof additionalProperties === 'object')
        faults.push(...findSchemaFaults(additionalProperties, field, `${path}.${name}`));
      else if (additionalProperties === false) faults.push(`${path}: has ${name}, which the schema lacks`);
    }
  }
  return faults;
}

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}
