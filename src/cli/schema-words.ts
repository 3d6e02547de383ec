/** Short words for JSON Schema (2020-12), as src/cli uses it. */

export type Schema = Readonly<Record<string, unknown>>;

export const id: Schema = {type: 'integer', minimum: 0, maximum: 4_294_967_295};
export const text: Schema = {type: 'string'};
export const count: Schema = {type: 'integer', minimum: 0};
export const optional = (schema: Schema): Schema => ({anyOf: [schema, {type: 'null'}]});
export const list = (items: Schema): Schema => ({type: 'array', items});
export const oneOf = (...values: readonly (string | number)[]): Schema => ({enum: values});

/** Every property is required unless it is named in `may`; nothing else is allowed. */
export function object(properties: Readonly<Record<string, Schema>>, may: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !may.includes(name));
  return {type: 'object', properties, required, additionalProperties: false};
}

export function titled(title: string, schema: Schema): Schema {
  return {$schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema};
}
export const mapping = object({containerId: id, hostId: id, size: count});
