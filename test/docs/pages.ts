import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {repository} from './consumer.ts';

/** A fenced block: its language and the words after it, its text, and the line it begins on. */
export interface Block {
  readonly language: string;
  readonly words: readonly string[];
  readonly text: string;
  readonly line: number;
}

/** A page of the documentation, by its path in the repository. */
export interface Page {
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** All pages, ours and the others'. */
export function readPages(): Page[] {
  const docs = readdirSync(join(repository, 'docs')).filter((name) => name.endsWith('.md'));
  const tops = readdirSync(repository).filter((name) => name.endsWith('.md'));
  return [...tops, ...docs.map((name) => `docs/${name}`)].map((path) => {
    const text = readFileSync(join(repository, path), 'utf8');
    return {path, text, blocks: blocksOf(text)};
  });
}

function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)].map(
    ({1: language = '', 2: words = '', 3: body = '', index}) => ({
      language,
      words: words.trim().split(' ').filter(Boolean),
      text: body,
      line: text.slice(0, index).split('\n').length,
    }),
  );
}

/** A command of a console block with what it is said to write. */
export interface Command {
  readonly command: string;
  readonly output: string;
}

/** The commands of a console block: lines that begin with `$ `, each followed by its output. */
export function commandsOf({text}: Block): Command[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return {command, output: output.join('\n')};
    });
}

const preamble = `import {createNode} from 'subroot';
await using node = await createNode();
await using pod = await node.runPod({command: ['sleep', 'infinity']});
`;

/** A snippet as a module. One that imports nothing is about the \`node\` and \`pod\` of the page's first. */
export function moduleOf({text}: Block): string {
  const body = /^import /m.test(text) ? text : `${preamble}{\n${text}}\n`;
  return `${body}export {};\n`;
}

/** What a snippet says that it prints: its comments \`// → …\`, in order. */
export function printedBy({text}: Block): string {
  return [...text.matchAll(/\/\/ → (.*)$/gm)].map(([, value]) => value).join('\n');
}

/** The anchors of a page's headings, as web forges make them. */
export function anchorsOf({text}: Page): string[] {
  return [...text.replace(/^```.*?^```$/gms, '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
