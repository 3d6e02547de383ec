import test from 'ava';
import fc from 'fast-check';
import {allCapabilities, noCapabilities} from '../../native-free/capability.ts';
import {
  type Credentials,
  createUserNamespace,
  hasCapability,
  joinUserNamespace,
  makeCredentials,
} from '../../native-free/credentials.ts';
import {lineage, UserNamespace} from '../../native-free/user-namespace.ts';

const CAP = 'CAP_SYS_ADMIN';

function mapped(creator: Credentials): {readonly userns: UserNamespace; readonly credentials: Credentials} {
  const made = createUserNamespace(creator);
  if (!made.ok) throw new Error(made.rule);
  for (const kind of ['uid', 'gid'] as const) made.userns.installIdMap(kind, [{containerId: 0, hostId: 0, size: 2000}]);
  return made;
}

test('root of a namespace has every capability by default and others have none', (t) => {
  const userns = new UserNamespace();
  t.is(makeCredentials({userns, uid: 0, gid: 0}).effective, allCapabilities);
  t.is(makeCredentials({userns, uid: 1000, gid: 1000}).effective, noCapabilities);
  const {userns: pod} = mapped(makeCredentials({userns, uid: 1000, gid: 1000}));
  pod.installIdMap('uid', [{containerId: 0, hostId: 100_000, size: 10}]);
  t.is(makeCredentials({userns: pod, uid: 100_000, gid: 0}).effective, allCapabilities);
  t.is(makeCredentials({userns: pod, uid: 0, gid: 0}).effective, noCapabilities);
});

test('33 levels can be made and the 34th is ENOSPC', (t) => {
  let credentials = makeCredentials({userns: new UserNamespace(), uid: 0, gid: 0});
  for (let level = 1; level <= 33; level += 1) {
    const made = mapped(credentials);
    t.is(made.userns.level, level);
    credentials = made.credentials;
  }
  t.like(createUserNamespace(credentials), {ok: false, errno: 'ENOSPC', rule: 'userns-level', level: 34});
  t.like(createUserNamespace(credentials, {inChroot: true}), {errno: 'ENOSPC'});
  t.is(lineage(credentials.userns).length, 34);
});

test('a creator whose uid or gid is unmapped, or who is in a chroot, gets EPERM', (t) => {
  const root = makeCredentials({userns: new UserNamespace(), uid: 0, gid: 0});
  t.like(createUserNamespace(root, {inChroot: true}), {errno: 'EPERM', rule: 'userns-chroot'});
  const made = createUserNamespace(root);
  if (!made.ok) return t.fail(made.rule);
  t.like(createUserNamespace(made.credentials), {rule: 'userns-creator-unmapped', kind: 'uid', kernelId: 0});
  made.userns.installIdMap('uid', [{containerId: 5, hostId: 0, size: 1}]);
  t.like(createUserNamespace(made.credentials), {rule: 'userns-creator-unmapped', kind: 'gid', kernelId: 0});
  made.userns.installIdMap('gid', [{containerId: 5, hostId: 0, size: 1}]);
  t.true(createUserNamespace(made.credentials).ok);
});

test('creation gives every capability, keeps ids and groups, and inherits setgroups', (t) => {
  const userns = new UserNamespace();
  const user = makeCredentials({userns, uid: 1000, gid: 1000, groups: [4]});
  const made = createUserNamespace({...user, bounding: noCapabilities, ambient: allCapabilities});
  if (!made.ok) return t.fail(made.rule);
  t.like(made.userns, {owner: 1000, group: 1000, level: 1, creatorHadSetfcap: false, setgroups: 'allow'});
  t.deepEqual(made.userns.kernelMap('uid'), []);
  const {effective, permitted, bounding, ambient, inheritable, euid, groups} = made.credentials;
  t.deepEqual([effective, permitted, bounding], [allCapabilities, allCapabilities, allCapabilities]);
  t.deepEqual([ambient, inheritable], [noCapabilities, noCapabilities]);
  t.deepEqual([euid, groups], [1000, [4]]);
  made.userns.installSetgroups('deny');
  made.userns.installIdMap('uid', [{containerId: 0, hostId: 1000, size: 1}]);
  made.userns.installIdMap('gid', [{containerId: 0, hostId: 1000, size: 1}]);
  t.is(mapped(made.credentials).userns.setgroups, 'deny');
});

test('the owner has every capability over its namespace and below, from the parent only', (t) => {
  const userns = new UserNamespace();
  const user = makeCredentials({userns, uid: 1000, gid: 1000});
  const {userns: pod, credentials: inside} = mapped(user);
  const {userns: nested} = mapped({...inside, euid: 5});
  t.true(hasCapability(user, pod, CAP));
  t.true(hasCapability(user, nested, CAP));
  t.false(hasCapability(user, userns, CAP));
  const otherGroup: Credentials = {...user, egid: 4};
  t.true(hasCapability(otherGroup, pod, CAP), 'its gid does not matter');
  t.false(hasCapability({...user, euid: 1001}, pod, CAP));
  t.false(hasCapability({...user, euid: 5}, nested, CAP), 'the owner of the nested one, but in the grandparent');
  t.true(hasCapability({...inside, euid: 5, effective: noCapabilities}, nested, CAP));
  t.false(hasCapability(inside, userns, CAP), 'never upwards');
  const root = makeCredentials({userns, uid: 0, gid: 0});
  t.true(hasCapability(root, nested, CAP));
  t.false(hasCapability({...root, effective: noCapabilities}, nested, CAP));
  const {userns: sibling} = mapped(root);
  t.false(hasCapability(inside, sibling, CAP), 'never sideways');
});

test('joining needs CAP_SYS_ADMIN over the target and never leads to the own namespace or the parent', (t) => {
  const userns = new UserNamespace();
  const user = makeCredentials({userns, uid: 1000, gid: 1000});
  const {userns: pod, credentials: inside} = mapped(user);
  t.like(joinUserNamespace(user, userns), {ok: false, errno: 'EINVAL', rule: 'userns-same'});
  t.like(joinUserNamespace(inside, userns), {ok: false, errno: 'EPERM', rule: 'userns-join-sys-admin'});
  t.like(joinUserNamespace({...user, euid: 1}, pod), {ok: false, errno: 'EPERM'});
  const joined = joinUserNamespace(user, pod);
  if (!joined.ok) return t.fail(joined.rule);
  t.is(joined.credentials.userns, pod);
  t.is(joined.credentials.euid, 1000);
  t.is(joined.credentials.effective, allCapabilities);
});

/** Of the path from `over` up, the last step before the credentials' namespace decides. */
function ruleByPath(credentials: Credentials, over: UserNamespace): boolean {
  const path = lineage(over);
  const depth = path.indexOf(credentials.userns);
  if (depth < 0) return false;
  const below = path[depth + 1];
  return credentials.effective.has(CAP) || (below !== undefined && below.owner === credentials.euid);
}

test('the capability walk agrees with the path from the root, in any tree', (t) => {
  const tree = fc.array(fc.record({parent: fc.nat(), owner: fc.nat(3)}), {minLength: 1, maxLength: 10});
  fc.assert(
    fc.property(tree, fc.nat(3), fc.boolean(), (nodes, euid, hasCap) => {
      const all = [new UserNamespace()];
      for (const {parent, owner} of nodes) {
        const above = all[parent % all.length];
        if (above !== undefined)
          all.push(new UserNamespace({parent: above, owner, group: 0, creatorHadSetfcap: false}));
      }
      for (const userns of all) {
        const capabilities = hasCap ? allCapabilities : noCapabilities;
        const credentials = makeCredentials({userns, uid: euid, gid: 0, capabilities});
        for (const over of all) {
          t.is(hasCapability(credentials, over, CAP), ruleByPath(credentials, over));
          t.is(userns.contains(over), lineage(over).includes(userns));
        }
      }
    }),
  );
  t.pass();
});
