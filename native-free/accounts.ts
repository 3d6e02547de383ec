/** A line of /etc/passwd as far as a runtime needs it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** A line of /etc/group. */
export interface AccountGroup {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

function idOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= 4_294_967_294 ? Number(text) : undefined;
}

function linesOf(text: string): readonly string[][] {
  return text.split('\n').flatMap((line) => (line.trim() === '' || line.startsWith('#') ? [] : [line.split(':')]));
}

/** The accounts of a passwd(5) file, in its order. A line that is none is passed over, as the C library does. */
export function parsePasswd(text: string): readonly Account[] {
  return linesOf(text).flatMap(([name = '', , uidText, gidText, , home = '']) => {
    const [uid, gid] = [idOf(uidText), idOf(gidText)];
    return name === '' || uid === undefined || gid === undefined ? [] : [{name, uid, gid, home}];
  });
}

/** The groups of a group(5) file, in its order. A line that is none is passed over. */
export function parseGroup(text: string): readonly AccountGroup[] {
  return linesOf(text).flatMap(([name = '', , gidText, members = '']) => {
    const gid = idOf(gidText);
    if (name === '' || gid === undefined) return [];
    return [{name, gid, members: members.split(',').flatMap((member) => member.trim() || [])}];
  });
}
