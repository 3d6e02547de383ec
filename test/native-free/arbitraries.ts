import fc from 'fast-check';
import type {IdMap} from '../../native-free/id-map.ts';
import type {IdRange} from '../../native-free/id-range.ts';

/** Ranges in a small world, where they meet often. */
export const smallRanges: fc.Arbitrary<IdRange[]> = fc.array(fc.record({start: fc.nat(40), size: fc.nat(12)}), {
  maxLength: 8,
});

/** The ids of ranges, one by one. */
export function idsOf(ranges: readonly IdRange[]): Set<number> {
  return new Set(ranges.flatMap(({start, size}) => Array.from({length: size}, (_, index) => start + index)));
}

interface Piece {
  readonly size: number;
  readonly gap: number;
  readonly hostGap: number;
  readonly order: number;
}

/** A valid map from pieces: inside ids ascend by `gap`, outside ids ascend in the order of `order`, so that both columns are shuffled. */
function mapOf(pieces: readonly Piece[], shuffle: boolean): IdMap {
  let containerId = 0;
  const inside = pieces.map((piece) => {
    containerId += piece.gap;
    const start = containerId;
    containerId += piece.size;
    return {containerId: start, size: piece.size, order: piece.order, hostGap: piece.hostGap};
  });
  const byOrder = [...inside].sort((a, b) => a.order - b.order);
  let hostId = 0;
  const map = byOrder.map((piece) => {
    hostId += piece.hostGap;
    const start = hostId;
    hostId += piece.size;
    return {containerId: piece.containerId, hostId: start, size: piece.size};
  });
  return shuffle ? map : [...map].sort((a, b) => a.containerId - b.containerId);
}

/** A valid map of up to `maxLength` extents. */
export function validMap({
  maxLength = 12,
  maxSize = 10,
  maxGap = 5,
}: {
  readonly maxLength?: number;
  readonly maxSize?: number;
  readonly maxGap?: number;
} = {}): fc.Arbitrary<IdMap> {
  const piece = fc.record({
    size: fc.integer({min: 1, max: maxSize}),
    gap: fc.nat(maxGap),
    hostGap: fc.nat(maxGap),
    order: fc.nat(),
  });
  return fc.tuple(fc.array(piece, {maxLength}), fc.boolean()).map(([pieces, shuffle]) => mapOf(pieces, shuffle));
}

/** Any valid map, with numbers up to the last id. */
export const wideMap = validMap({maxLength: 340, maxSize: 5_000_000, maxGap: 5_000_000});

/** Extents without any promise: they may overlap, be empty or run past the end. */
export const anyMap: fc.Arbitrary<IdMap> = fc.array(
  fc.record({
    containerId: fc.oneof(fc.nat(30), fc.constantFrom(4_294_967_294, 4_294_967_295, 4_294_967_296, -1, 0.5)),
    hostId: fc.oneof(fc.nat(30), fc.constantFrom(4_294_967_294, 4_294_967_295, 4_294_967_296, -1, 0.5)),
    size: fc.oneof(fc.nat(8), fc.constantFrom(4_294_967_295, 4_294_967_296, -1)),
  }),
  {maxLength: 6},
);

/** Text out of the characters that parsers of maps stumble over. */
export const crookedText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      {weight: 5, arbitrary: fc.constantFrom('0', '1', '10', '7', '100000', '65536', ' ', ' ', '\n')},
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '\t',
          '\r',
          '\v',
          '\f',
          '\0',
          '\xa0',
          '\x85',
          '-',
          '+',
          '0x1',
          '#',
          ':',
          ',',
          '.',
          'k',
          'é',
          '\u2003',
          '4294967294',
          '4294967295',
          '4294967296',
          '4294967297',
          '18446744073709551615',
          '18446744073709551623',
          '00',
        ),
      },
    ),
    {maxLength: 24},
  )
  .map((parts) => parts.join(''));
