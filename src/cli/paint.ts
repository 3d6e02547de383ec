/** Roles of text; the plain paint returns the text as it is. */
export interface Paint {
  readonly enabled: boolean;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
  strong(text: string): string;
  dim(text: string): string;
  /** One of six colours that differ from each other; the letter or pattern must tell the same without it. */
  owner(index: number, text: string): string;
}

const same = (text: string): string => text;
export const plainPaint: Paint = {
  enabled: false,
  good: same,
  warn: same,
  bad: same,
  strong: same,
  dim: same,
  owner: (_, text) => text,
};

const sgr =
  (on: string, off: string) =>
  (text: string): string =>
    text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`;
const ownerColors = ['36', '33', '35', '32', '34', '31'];

/** The 16 basic colours only, so that the user's own palette decides. */
export const terminalPaint: Paint = {
  enabled: true,
  good: sgr('32', '39'),
  warn: sgr('33', '39'),
  bad: sgr('31', '39'),
  strong: sgr('1', '22'),
  dim: sgr('2', '22'),
  owner: (index, text) => sgr(ownerColors[index % ownerColors.length] ?? '36', '39')(text),
};
