import type {Tree, TreeField} from '../manifest-tree.ts';
import type {Mark} from './finding.ts';

/** A value of a document together with its path and where it is written. A null value is an absent one, as it is to the API server. */
export class Spot {
  readonly tree: Tree;
  /** As the API writes it, from the beginning of the document. */
  readonly path: string;
  readonly #key: TreeField | undefined;

  constructor(tree: Tree, path = '', key?: TreeField) {
    this.tree = tree;
    this.path = path;
    this.#key = key;
  }

  /** The key and, when it stands on the same line, the value. */
  get mark(): Mark {
    const key = this.#key;
    const end = this.tree.kind === 'scalar' ? this.tree.end : undefined;
    if (!key) return markOf(this.tree.at, end);
    const inLine = end?.line === key.at.line ? end : key.end;
    return markOf(key.at, inLine);
  }

  get value(): string | number | boolean | undefined {
    return this.tree.kind === 'scalar' ? (this.tree.value ?? undefined) : undefined;
  }

  get text(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined;
  }

  get number(): number | undefined {
    return typeof this.value === 'number' ? this.value : undefined;
  }

  get(name: string): Spot | undefined {
    const field = this.tree.kind === 'map' ? this.tree.fields.get(name) : undefined;
    if (!field || (field.tree.kind === 'scalar' && field.tree.value === null)) return undefined;
    return new Spot(field.tree, this.path === '' ? name : `${this.path}.${name}`, field);
  }

  /** Field of a field of …; undefined when any of them is absent. */
  at(...names: readonly string[]): Spot | undefined {
    let spot: Spot | undefined = this;
    for (const name of names) spot = spot?.get(name);
    return spot;
  }

  /** The items of a list; none when it is no list. */
  get items(): readonly Spot[] {
    if (this.tree.kind !== 'list') return [];
    return this.tree.items.map((item, index) => new Spot(item, `${this.path}[${index}]`));
  }

  /** The fields of a mapping, in the order written; those that are null are left out. */
  get entries(): readonly (readonly [name: string, spot: Spot])[] {
    if (this.tree.kind !== 'map') return [];
    return [...this.tree.fields.keys()].flatMap((name) => {
      const spot = this.get(name);
      return spot ? [[name, spot] as const] : [];
    });
  }
}

function markOf(at: {readonly line: number; readonly column: number}, end: typeof at | undefined): Mark {
  const {line, column} = at;
  return end?.line === line && end.column > column ? {line, column, endColumn: end.column} : {line, column};
}

/**
 * The spot of a path like `spec.containers[0].image` below `from`, or the nearest one above it that is written. Names are compared without
 * regard to case, because the API writes `spec.HostPID`.
 */
export function locate(from: Spot, path: string): Spot {
  let spot = from;
  for (const [, name, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    const next = index === undefined ? find(spot, name ?? '') : spot.items[Number(index)];
    if (!next) return spot;
    spot = next;
  }
  return spot;
}

function find(spot: Spot, name: string): Spot | undefined {
  return spot.get(name) ?? spot.entries.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}
