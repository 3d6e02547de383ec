import type {Document, Node, Pair} from 'yaml';
import {Composer, isAlias, isCollection, isMap, isScalar, isSeq, Lexer, LineCounter, Parser} from 'yaml';
import {subrootError} from '../native-free/errors.ts';

/** The largest manifest that is read, in bytes of UTF-8. A Pod with 1000 containers has about a quarter of it. */
export const MAX_MANIFEST_BYTES = 1_048_576;
/** Deepest nesting. Kubernetes objects need about 12; the YAML parser below us is recursive and dies without a limit. */
export const MAX_DEPTH = 64;
/** Values after alias expansion, over the whole file. */
export const MAX_VALUES = 200_000;

/** Where a value starts. Line and column begin at 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One field of a mapping: where its key stands, and its value. */
export interface TreeField {
  readonly at: Place;
  /** One past the last character of the key; only when ends were asked for. */
  readonly end?: Place;
  readonly tree: Tree;
}

/** A parsed value that still knows where it was written. Mappings keep their order. */
export type Tree =
  | {
      readonly kind: 'scalar';
      readonly at: Place;
      /** One past the last character; only when ends were asked for. A block of lines ends below where it starts. */
      readonly end?: Place;
      readonly value: string | number | boolean | null;
    }
  | {readonly kind: 'list'; readonly at: Place; readonly items: readonly Tree[]}
  | {readonly kind: 'map'; readonly at: Place; readonly fields: ReadonlyMap<string, TreeField>};

export interface TreeOptions {
  /** Also note where keys and scalars end, for messages that underline them. */
  readonly ends?: boolean;
}

type AnyDocument = Document.Parsed;

/**
 * The documents of a YAML or JSON text, in order; empty ones are left out.
 * `no`, `off`, `0755` mean what they mean to kubectl (YAML 1.1), times and dates stay text.
 * Errors: SUBROOT_MANIFEST_TOO_BIG, _SYNTAX, _TOO_DEEP, _ALIASES, each with file, line and column.
 * Source: sigs.k8s.io/yaml (go-yaml v2 rules, duplicate keys refused as by `kubectl --validate=strict`).
 */
export function parseTrees(text: string, file: string, options: TreeOptions = {}): Tree[] {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > MAX_MANIFEST_BYTES) {
    throw subrootError('SUBROOT_MANIFEST_TOO_BIG', {file, bytes, limit: MAX_MANIFEST_BYTES});
  }
  const lines = new LineCounter();
  const builder = new TreeBuilder(file, lines, options.ends === true);
  const trees: Tree[] = [];
  for (const document of compose(text.startsWith('\uFEFF') ? text.slice(1) : text, lines, builder)) {
    const problem = document.errors[0];
    if (problem) throw builder.syntaxError(problem.pos[0], problem.message);
    const unresolved = document.warnings[0];
    if (unresolved) throw builder.syntaxError(unresolved.pos[0], unresolved.message);
    const root = document.contents;
    if (root === null) continue;
    const tree = builder.build(root, document, 0);
    if (tree.kind === 'scalar' && tree.value === null) continue;
    trees.push(tree);
  }
  return trees;
}

function compose(text: string, lines: LineCounter, builder: TreeBuilder): Iterable<AnyDocument> {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > MAX_DEPTH) throw builder.tooDeep(parser.offset);
  }
  for (const token of parser.end()) tokens.push(token);
  const composer = new Composer({
    version: '1.1',
    merge: true,
    // Checked by us while we walk: the library compares every key with every other.
    uniqueKeys: false,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || isPlainTag(tag.tag, tag.format)),
  });
  return composer.compose(tokens, true, text.length) as Iterable<AnyDocument>;
}

/** Base-60 numbers and the 1.1 types that JSON has no place for are left out: `12:30` is text to Kubernetes. */
function isPlainTag(tag: string, format: string | undefined): boolean {
  return format !== 'TIME' && !/:(timestamp|set|omap|pairs|binary)$/.test(tag);
}

class TreeBuilder {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #ends: boolean;
  #values = 0;
  #expanding = new Set<Node>();

  constructor(file: string, lines: LineCounter, ends: boolean) {
    this.#file = file;
    this.#lines = lines;
    this.#ends = ends;
  }

  place(offset: number): Place {
    const {line, col} = this.#lines.linePos(offset);
    return {line: Math.max(line, 1), column: Math.max(col, 1)};
  }

  where(offset: number): string {
    const {line, column} = this.place(offset);
    return `${this.#file}:${line}:${column}`;
  }

  syntaxError(offset: number, why: string): Error {
    return subrootError('SUBROOT_MANIFEST_SYNTAX', {where: this.where(offset), why});
  }

  tooDeep(offset: number): Error {
    return subrootError('SUBROOT_MANIFEST_TOO_DEEP', {where: this.where(offset), limit: MAX_DEPTH});
  }

  build(node: unknown, document: AnyDocument, depth: number): Tree {
    const offset = offsetOf(node);
    this.#values += 1;
    if (this.#values > MAX_VALUES) {
      throw subrootError('SUBROOT_MANIFEST_ALIASES', {where: this.where(offset), limit: MAX_VALUES});
    }
    if (depth > MAX_DEPTH) throw this.tooDeep(offset);
    if (isAlias(node)) return this.#expand(node.resolve(document), document, depth, offset, endOf(node));
    if (isMap(node)) return this.#map(node.items, document, depth, offset);
    if (isSeq(node)) {
      return {
        kind: 'list',
        at: this.place(offset),
        items: node.items.map((item) => this.build(item, document, depth + 1)),
      };
    }
    const scalar = {
      kind: 'scalar' as const,
      at: this.place(offset),
      value: isScalar(node) ? this.#scalar(node.value, offset) : null,
    };
    return this.#ends ? {...scalar, end: this.place(endOf(node))} : scalar;
  }

  #expand(target: Node | undefined, document: AnyDocument, depth: number, offset: number, end: number): Tree {
    if (!target) throw this.syntaxError(offset, 'this alias names no anchor above it');
    if (this.#expanding.has(target)) throw this.syntaxError(offset, 'this alias contains itself');
    this.#expanding.add(target);
    const tree = this.build(target, document, depth + 1);
    this.#expanding.delete(target);
    const at = this.place(offset);
    return this.#ends && tree.kind === 'scalar' ? {...tree, at, end: this.place(end)} : {...tree, at};
  }

  #map(pairs: readonly Pair[], document: AnyDocument, depth: number, offset: number): Tree {
    const fields = new Map<string, TreeField>();
    const merged: Tree[] = [];
    for (const pair of pairs) {
      const name = this.#key(pair.key);
      const keyOffset = offsetOf(pair.key);
      const tree = this.build(pair.value, document, depth + 1);
      if (name === '<<' && isScalar(pair.key) && pair.key.type !== 'QUOTE_DOUBLE' && pair.key.type !== 'QUOTE_SINGLE') {
        merged.push(...(tree.kind === 'list' ? tree.items : [tree]));
        continue;
      }
      if (fields.has(name)) throw this.syntaxError(keyOffset, `the key "${name}" is set twice in one mapping`);
      const at = this.place(keyOffset);
      fields.set(name, this.#ends ? {at, end: this.place(endOf(pair.key)), tree} : {at, tree});
    }
    for (const source of merged) {
      if (source.kind !== 'map')
        throw this.syntaxError(offset, 'a merge key (<<) takes a mapping or a list of mappings');
      for (const [name, field] of source.fields) if (!fields.has(name)) fields.set(name, field);
    }
    return {kind: 'map', at: this.place(offset), fields};
  }

  #key(node: unknown): string {
    const offset = offsetOf(node);
    if (isAlias(node) || isCollection(node) || !isScalar(node) || node.value === null) {
      throw this.syntaxError(offset, 'a key must be plain text');
    }
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  }

  #scalar(value: unknown, offset: number): string | number | boolean | null {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') return value;
    throw this.syntaxError(offset, `a value of type ${typeof value} has no place in a manifest`);
  }
}

function offsetOf(node: unknown): number {
  if (isAlias(node) || isCollection(node) || isScalar(node)) return node.range?.[0] ?? 0;
  return 0;
}

function endOf(node: unknown): number {
  if (isAlias(node) || isCollection(node) || isScalar(node)) return node.range?.[1] ?? 0;
  return 0;
}

/** The tree of JSON values that no text was written for: all of it stands at line 1. Errors: SUBROOT_MANIFEST_TOO_DEEP. */
export function treeOf(value: unknown, file: string, depth = 0): Tree {
  const at: Place = {line: 1, column: 1};
  if (depth > MAX_DEPTH) throw subrootError('SUBROOT_MANIFEST_TOO_DEEP', {where: `${file}:1:1`, limit: MAX_DEPTH});
  if (Array.isArray(value))
    return {kind: 'list', at, items: value.map((item) => treeOf(item ?? null, file, depth + 1))};
  if (typeof value === 'object' && value !== null) {
    const set = Object.entries(value).filter(([, field]) => field !== undefined);
    return {
      kind: 'map',
      at,
      fields: new Map(set.map(([name, field]) => [name, {at, tree: treeOf(field, file, depth + 1)}])),
    };
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return {kind: 'scalar', at, value};
  if (typeof value === 'number') return {kind: 'scalar', at, value: Number.isFinite(value) ? value : null};
  throw subrootError('SUBROOT_MANIFEST_SYNTAX', {
    where: `${file}:1:1`,
    why: `a value of type ${typeof value} has no place in a manifest`,
  });
}

/** The tree as plain JSON values, for documents that are handed on unread. A key `__proto__` stays an ordinary key. */
export function plainOf(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar':
      return tree.value;
    case 'list':
      return tree.items.map(plainOf);
    case 'map':
      return Object.fromEntries([...tree.fields].map(([name, field]) => [name, plainOf(field.tree)]));
  }
}
