import type {Image} from '../../native-free/cri.ts';

/** An image as protobuf-JSON has it: 64-bit numbers are texts. */
export function imageJson(image: Image) {
  const {uid, size, spec: _left, ...rest} = image;
  return {...rest, size: String(size), ...(uid ? {uid: {value: String(uid.value)}} : {})};
}
