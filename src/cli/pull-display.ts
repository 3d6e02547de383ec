import {printable} from '../../native-free/errors.ts';
import type {PullProgress} from '../images/pull-progress.ts';
import {byteSize} from './byte-size.ts';

type LayerProgress = Extract<PullProgress, {what: 'layer'}>;

/** Where progress is shown: standard error. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR = 24;
/** Milliseconds between two pictures. */
const FRAME = 100;

const stateWords: Readonly<Record<LayerProgress['state'], string>> = {
  there: 'is here already',
  downloading: 'downloading',
  downloaded: 'downloaded',
  unpacking: 'unpacking',
  done: 'done',
};

function shortDigest(digest: string): string {
  return digest.replace(/^\w+:/, '').slice(0, 12);
}

/** A bar of a layer: `5775919b1239  ████████░░░░░░░░  1.2MB of 3.4MB`. */
export function drawLayer({digest, state, bytes, size}: LayerProgress): string {
  if (state !== 'downloading') return `${shortDigest(digest)}  ${stateWords[state]}`;
  const filled = size === 0 ? BAR : Math.floor((BAR * Math.min(bytes, size)) / size);
  return `${shortDigest(digest)}  ${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}  ${byteSize(bytes)} of ${byteSize(size)}`;
}

/**
 * What a pull is at, for people: on a terminal a bar for each layer, drawn over and over; elsewhere a line when a layer is fetched and when it is
 * done.
 */
export class PullDisplay {
  readonly #screen: Screen;
  readonly #layers = new Map<string, LayerProgress>();
  #drawn = 0;
  #drawnAt = 0;

  constructor(screen: Screen = process.stderr) {
    this.#screen = screen;
  }

  readonly show = (progress: PullProgress): void => {
    if (progress.what === 'note') {
      this.finish();
      this.#screen.write(`${printable(progress.text)}\n`);
      return;
    }
    if (progress.what === 'image') {
      this.finish();
      const {reference, registry, layers, bytes} = progress;
      const from = reference.startsWith(`${registry}/`) ? '' : ` from ${printable(registry)}`;
      const many = layers === 1 ? '1 layer' : `${layers} layers`;
      this.#screen.write(`pulling ${printable(reference)}${from}: ${many}, ${byteSize(bytes)}\n`);
      return;
    }
    const before = this.#layers.get(progress.digest);
    this.#layers.set(progress.digest, progress);
    if (this.#screen.isTTY === true) this.#draw(before?.state !== progress.state);
    else if (before?.state !== progress.state && progress.state !== 'downloading' && progress.state !== 'unpacking')
      this.#screen.write(`  ${drawLayer(progress)}\n`);
  };

  #draw(mustShow: boolean): void {
    const now = performance.now();
    if (!mustShow && now - this.#drawnAt < FRAME) return;
    this.#drawnAt = now;
    const width = (this.#screen.columns ?? 80) - 1;
    const lines = [...this.#layers.values()].map((layer) => `  ${drawLayer(layer)}`.slice(0, width));
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#screen.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }

  /** Leaves the last picture where it is; what comes next is below it. */
  finish(): void {
    this.#layers.clear();
    this.#drawn = 0;
  }
}
