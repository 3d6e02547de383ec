/**
 * `$(NAME)` replaced by the value of NAME; `$$` is a `$` that begins no reference, and a reference to nothing stays as written.
 * Source: kubernetes third_party/forked/golang/expansion/expand.go, 1.36.
 */
export function expandReferences(text: string, lookUp: (name: string) => string | undefined): string {
  let out = '';
  for (let at = 0; at < text.length; at++) {
    const next = text[at + 1];
    if (text[at] !== '$' || next === undefined) {
      out += text[at];
    } else if (next === '$') {
      out += '$';
      at += 1;
    } else if (next === '(') {
      const end = text.indexOf(')', at + 2);
      if (end < 0) {
        out += '$(';
        at += 1;
      } else {
        const name = text.slice(at + 2, end);
        out += lookUp(name) ?? `$(${name})`;
        at = end;
      }
    } else {
      // An operator without reference keeps both characters.
      out += `$${next}`;
      at += 1;
    }
  }
  return out;
}
