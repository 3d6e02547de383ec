/** The API's kinds of field errors, by the words it prints. Source: apimachinery pkg/util/validation/field. */
export type FieldErrorType =
  | 'Forbidden'
  | 'Invalid value'
  | 'Required value'
  | 'Not found'
  | 'Duplicate value'
  | 'Unsupported value';

/** One complaint of the API server about one field; `text` is what it prints. */
export interface FieldError {
  readonly type: FieldErrorType;
  /** Exactly as the API writes it, `spec.HostPID` included. */
  readonly path: string;
  readonly detail: string;
  readonly text: string;
}

export function forbidden(path: string, detail: string): FieldError {
  return {type: 'Forbidden', path, detail, text: `${path}: Forbidden: ${detail}`};
}

export function required(path: string, detail = ''): FieldError {
  return {type: 'Required value', path, detail, text: `${path}: Required value${detail && `: ${detail}`}`};
}

export function invalid(path: string, value: unknown, detail: string): FieldError {
  return withValue('Invalid value', path, value, detail);
}

export function notFound(path: string, value: unknown): FieldError {
  return withValue('Not found', path, value, '');
}

export function duplicate(path: string, value: unknown): FieldError {
  return withValue('Duplicate value', path, value, '');
}

export function unsupported(path: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((item) => JSON.stringify(item)).join(', ');
  return withValue('Unsupported value', path, value, `supported values: ${list}`);
}

function withValue(type: FieldErrorType, path: string, value: unknown, detail: string): FieldError {
  const text = `${path}: ${type}: ${JSON.stringify(value) ?? 'null'}${detail && `: ${detail}`}`;
  return {type, path, detail, text};
}

/** Several errors as one text: one stands alone, more are put in brackets, the same text appears once. */
export function aggregate(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map((error) => error.text))];
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}
