/** A CRI message as protobuf-JSON has it: 64-bit numbers are texts. */
export function criJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)));
}
