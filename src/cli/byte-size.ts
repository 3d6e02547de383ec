const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `4.87MB`: a size for people, with three digits and powers of 1000, as crictl shows it. */
export function byteSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))}${units[unit]}`;
}
