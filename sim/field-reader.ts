import {subrootError} from '../native-free/errors.ts';
import {nearest} from '../native-free/nearest.ts';
import type {Place, Tree, TreeField} from './manifest-tree.ts';
import {parseQuantity} from './quantity.ts';

export {nearest} from '../native-free/nearest.ts';

/** Something in a manifest that is read otherwise than its writer may think. */
export interface Warning {
  readonly kind: 'unknown-field' | 'not-honoured';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `spec.containers[0].livenessProbe`, without the document. */
  readonly path: string;
  /** One line, without file and place. */
  readonly text: string;
}

/** One entry of a mapping of texts: `data` of a ConfigMap. */
export interface TextField {
  readonly key: string;
  readonly text: string;
  readonly at: Place;
}

/** A field that Kubernetes honours, subroot does not, and without which the pod would be less isolated or another pod. */
export interface NotYet {
  readonly path: string;
  readonly place: string;
  readonly why: string;
}

/** A field whose value cannot be what its type says, or a required one that is missing. */
export interface FieldProblem {
  readonly at: Place;
  readonly path: string;
  /** What is wrong, in words that follow the path. */
  readonly what: string;
}

/** What reading one file has found so far. Problems are thrown together at the end, so that one run names all of them. */
export class Findings {
  readonly file: string;
  readonly warnings: Warning[] = [];
  readonly notYet: NotYet[] = [];
  readonly problems: FieldProblem[] = [];

  constructor(file: string) {
    this.file = file;
  }

  where(at: Place): string {
    return `${this.file}:${at.line}:${at.column}`;
  }

  problem(at: Place, path: string, what: string): void {
    this.problems.push({at, path, what});
  }

  warn(kind: Warning['kind'], at: Place, path: string, text: string): void {
    this.warnings.push({kind, file: this.file, line: at.line, column: at.column, path, text});
  }

  refuse(at: Place, path: string, why: string): void {
    this.notYet.push({path, place: this.where(at), why});
  }

  /** Throws SUBROOT_MANIFEST_FIELD with every problem found; does nothing when there is none. */
  throwProblems(): void {
    if (this.problems.length === 0) return;
    const shown = this.problems.slice(0, 20).map(({at, path, what}) => `${this.where(at)}: ${path}: ${what}`);
    const more = this.problems.length - shown.length;
    const problems = shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
    throw subrootError('SUBROOT_MANIFEST_FIELD', {problems});
  }
}

/**
 * Reads the fields of one mapping and remembers which were asked for; `finish` names the others.
 * A null value is an absent field, as it is to the API server.
 */
export class FieldReader {
  readonly path: string;
  readonly at: Place;
  readonly findings: Findings;
  readonly #fields: ReadonlyMap<string, TreeField>;
  readonly #known = new Set<string>();

  constructor(tree: Tree, path: string, findings: Findings) {
    this.path = path;
    this.at = tree.at;
    this.findings = findings;
    this.#fields = tree.kind === 'map' ? tree.fields : new Map();
    if (tree.kind !== 'map') findings.problem(tree.at, path || 'document', `expected a mapping, got ${describe(tree)}`);
  }

  /** The path of a field of this mapping. */
  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  /** Names present, in the order written. */
  names(): string[] {
    return [...this.#fields.keys()];
  }

  string(name: string): string | undefined {
    const tree = this.#take(name);
    if (!tree) return undefined;
    if (tree.kind === 'scalar' && typeof tree.value === 'string') return tree.value;
    const quoted = tree.kind === 'scalar' ? '; put it in quotes' : '';
    this.#problem(tree, name, `expected text, got ${describe(tree)}${quoted}`);
    return undefined;
  }

  boolean(name: string): boolean | undefined {
    const tree = this.#take(name);
    if (!tree) return undefined;
    if (tree.kind === 'scalar' && typeof tree.value === 'boolean') return tree.value;
    this.#problem(tree, name, `expected true or false, got ${describe(tree)}`);
    return undefined;
  }

  integer(name: string): number | undefined {
    const tree = this.#take(name);
    if (!tree) return undefined;
    if (tree.kind === 'scalar' && Number.isSafeInteger(tree.value)) return Number(tree.value);
    this.#problem(tree, name, `expected a whole number, got ${describe(tree)}`);
    return undefined;
  }

  integerOrString(name: string): number | string | undefined {
    const tree = this.#take(name);
    if (!tree) return undefined;
    if (tree.kind === 'scalar' && (typeof tree.value === 'string' || Number.isSafeInteger(tree.value)))
      return typeof tree.value === 'string' ? tree.value : Number(tree.value);
    this.#problem(tree, name, `expected a whole number or text, got ${describe(tree)}`);
    return undefined;
  }

  /** A resource quantity, which YAML may take for a number: `64Mi`, `0.5`, `2`. */
  quantity(name: string): string | undefined {
    const tree = this.#take(name);
    return tree && this.#quantityOf(tree, name);
  }

  /** A mapping of quantities: `{cpu: 2, memory: 64Mi}`. */
  quantities(name: string): Readonly<Record<string, string>> {
    const tree = this.#take(name);
    if (!tree) return {};
    if (tree.kind !== 'map') {
      this.#problem(tree, name, `expected a mapping, got ${describe(tree)}`);
      return {};
    }
    return Object.fromEntries(
      [...tree.fields].map(([key, field]) => [key, this.#quantityOf(field.tree, `${name}[${key}]`) ?? '0']),
    );
  }

  #quantityOf(tree: Tree, name: string): string | undefined {
    const isText = tree.kind === 'scalar' && (typeof tree.value === 'string' || typeof tree.value === 'number');
    if (isText && parseQuantity(String(tree.value)) !== undefined) return String(tree.value);
    this.#problem(tree, name, `expected a quantity such as 500m, 2 or 64Mi, got ${describe(tree)}`);
    return undefined;
  }

  object(name: string): FieldReader | undefined {
    const tree = this.#take(name);
    return tree && new FieldReader(tree, this.pathOf(name), this.findings);
  }

  /** A reader for each item of a list of mappings; empty when the field is absent. */
  objects(name: string): FieldReader[] {
    return this.#items(name).map((item, i) => new FieldReader(item, `${this.pathOf(name)}[${i}]`, this.findings));
  }

  strings(name: string): string[] | undefined {
    if (!this.#take(name)) return undefined;
    return this.#items(name).map((item, i) => {
      if (item.kind === 'scalar' && typeof item.value === 'string') return item.value;
      const quoted = item.kind === 'scalar' ? '; put it in quotes' : '';
      this.#problem(item, `${name}[${i}]`, `expected text, got ${describe(item)}${quoted}`);
      return '';
    });
  }

  integers(name: string): number[] | undefined {
    if (!this.#take(name)) return undefined;
    return this.#items(name).map((item, i) => {
      if (item.kind === 'scalar' && Number.isSafeInteger(item.value)) return Number(item.value);
      this.#problem(item, `${name}[${i}]`, `expected a whole number, got ${describe(item)}`);
      return 0;
    });
  }

  stringMap(name: string): Readonly<Record<string, string>> {
    const tree = this.#take(name);
    if (!tree) return {};
    const entries: [string, string][] = [];
    if (tree.kind === 'map') {
      for (const [key, field] of tree.fields) {
        if (field.tree.kind === 'scalar' && typeof field.tree.value === 'string') entries.push([key, field.tree.value]);
        else
          this.#problem(field.tree, `${name}[${key}]`, `expected text, got ${describe(field.tree)}; put it in quotes`);
      }
    } else this.#problem(tree, name, `expected a mapping, got ${describe(tree)}`);
    return Object.fromEntries(entries);
  }

  /** The entries of a mapping of texts, in the order written. What is no text is a problem that does not say the value: it may be a secret. */
  texts(name: string): TextField[] {
    const tree = this.#take(name);
    if (!tree) return [];
    if (tree.kind !== 'map') {
      this.#problem(tree, name, 'expected a mapping of texts');
      return [];
    }
    return [...tree.fields].flatMap(([key, {at, tree: value}]) => {
      if (value.kind === 'scalar' && typeof value.value === 'string') return [{key, text: value.value, at}];
      // As to the API server: a key without a value has an empty one.
      if (value.kind === 'scalar' && value.value === null) return [{key, text: '', at}];
      const kind = value.kind === 'scalar' ? `a ${typeof value.value}; put it in quotes` : `a ${value.kind}`;
      this.#problem(value, `${name}[${key.slice(0, 60)}]`, `expected text, got ${kind}`);
      return [];
    });
  }

  /** Fields that Kubernetes knows and whose absence here leaves the pod the same pod: named in a warning when present. */
  notHonoured(...names: readonly string[]): void {
    for (const name of names) {
      const field = this.#present(name);
      if (!field) continue;
      const text = `known to Kubernetes, not yet honoured by subroot: ${this.pathOf(name)}`;
      this.findings.warn('not-honoured', field.at, this.pathOf(name), text);
    }
  }

  /** A field that is honoured otherwise than its writer may think. */
  warnOf(name: string, why: string): void {
    const field = this.#present(name);
    if (field) this.findings.warn('not-honoured', field.at, this.pathOf(name), `${this.pathOf(name)}: ${why}`);
  }

  /** Fields that Kubernetes knows and that cannot be left out without changing the pod. */
  refuse(name: string, why: string): void {
    const field = this.#present(name);
    if (field) this.findings.refuse(field.at, this.pathOf(name), why);
  }

  /** Accepts fields that are only information. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name);
  }

  /** Names every field that nobody asked for, with the nearest known name. */
  finish(): void {
    for (const [name, field] of this.#fields) {
      if (this.#known.has(name)) continue;
      const near = nearest(name, this.#known);
      const hint = near === undefined ? '' : `, did you mean ${near}?`;
      this.findings.warn('unknown-field', field.at, this.pathOf(name), `${this.pathOf(name)}: unknown field${hint}`);
    }
  }

  #present(name: string): TreeField | undefined {
    this.#known.add(name);
    const field = this.#fields.get(name);
    return field && (field.tree.kind !== 'scalar' || field.tree.value !== null) ? field : undefined;
  }

  #take(name: string): Tree | undefined {
    return this.#present(name)?.tree;
  }

  #items(name: string): readonly Tree[] {
    const tree = this.#take(name);
    if (!tree) return [];
    if (tree.kind === 'list') return tree.items;
    this.#problem(tree, name, `expected a list, got ${describe(tree)}`);
    return [];
  }

  #problem(tree: Tree, name: string, what: string): void {
    this.findings.problem(tree.at, this.pathOf(name), what);
  }
}

function describe(tree: Tree): string {
  if (tree.kind === 'list') return 'a list';
  if (tree.kind === 'map') return 'a mapping';
  if (tree.value === null) return 'nothing';
  const shown = JSON.stringify(tree.value) ?? 'nothing';
  const short = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  return typeof tree.value === 'string' ? `the text ${short}` : `${typeof tree.value} ${short}`;
}
