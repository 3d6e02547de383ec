export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
}

/** Reads XML without DTD, comments and CDATA, and throws at the first thing that is not well-formed. */
export function readXml(text: string): XmlElement {
  const open: XmlElement[] = [{name: '', attributes: {}, children: []}];
  let at = 0;
  const body = text.replace(/^<\?xml [^?]*\?>\s*/, '');
  const token = /<(\/?)([A-Za-z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|[^<]+/y;
  while (at < body.length) {
    token.lastIndex = at;
    const found = token.exec(body);
    if (found === null) throw new Error(`not well-formed at ${JSON.stringify(body.slice(at, at + 60))}`);
    at = token.lastIndex;
    const [whole, close, name, words = '', empty] = found;
    const top = open.at(-1);
    if (top === undefined) throw new Error('something after the root');
    if (name === undefined) {
      if (!top.name.match(/^(style)$/)) checkText(whole);
      continue;
    }
    if (close === '/') {
      if (top.name !== name) throw new Error(`</${name}> closes <${top.name}>`);
      open.pop();
      continue;
    }
    const attributes: Record<string, string> = {};
    for (const [, key = '', value = ''] of words.matchAll(/([\w:-]+)="([^"]*)"/g)) {
      if (key in attributes) throw new Error(`${key} twice in <${name}>`);
      checkText(value);
      attributes[key] = value;
    }
    const element = {name, attributes, children: []};
    top.children.push(element);
    if (empty !== '/') open.push(element);
  }
  const [outer] = open;
  const [root] = outer?.children ?? [];
  if (open.length !== 1 || root === undefined || outer?.children.length !== 1) throw new Error('not one whole root');
  return root;
}

function checkText(text: string): void {
  const bare = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);)/.exec(text);
  if (bare !== null) throw new Error(`a bare & in ${JSON.stringify(text.slice(bare.index, bare.index + 40))}`);
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text)) throw new Error('a character that XML has not');
}
