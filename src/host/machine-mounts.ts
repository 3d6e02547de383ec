import type {MountFact} from '../doctor/facts.ts';

/** The mounts of /proc/PID/mountinfo text, in its order (a later one hides an earlier one on the same point). Source: proc(5). */
export function parseMounts(text: string): MountFact[] {
  return text.split('\n').flatMap((line) => {
    const [front = '', back = ''] = line.split(' - ');
    const [id, parent, device = '', root = '', point, options] = front.split(' ');
    const [type = '', source = '', superOptions = ''] = back.split(' ');
    if (point === undefined || options === undefined) return [];
    return [
      {
        id: Number(id),
        parent: Number(parent),
        device,
        root: unescapeOctal(root),
        point: unescapeOctal(point),
        type,
        source: unescapeOctal(source),
        options: options.split(','),
        superOptions: superOptions.split(','),
      },
    ];
  });
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The mount that a path is on. */
export function mountOf<M extends Pick<MountFact, 'point'>>(mounts: readonly M[], path: string): M | undefined {
  let found: M | undefined;
  for (const mount of mounts) {
    const isOn = mount.point === '/' || path === mount.point || path.startsWith(`${mount.point}/`);
    if (isOn && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}
