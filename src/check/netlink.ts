import {AF, acknowledge, type Operation, send, socket, struct} from './operation.ts';

/** Protocols of netlink(7) that requests go to. */
export const NETLINK = {route: 0, audit: 9, netfilter: 12, uevent: 15} as const;

const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** One attribute of a netlink message: type and bytes, aligned. Source: include/uapi/linux/netlink.h struct nlattr. */
export function attribute(type: number, bytes: Uint8Array): Uint8Array {
  return padded(Buffer.concat([struct([bytes.length + 4, 2], [type, 2]), bytes]));
}

/** A text with its end, as netlink attributes hold names. */
export function name(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'latin1');
}

export function netlinkMessage(type: number, flags: number, body: Uint8Array, sequence = 1): Uint8Array {
  return Buffer.concat([struct([body.length + 16, 4], [type, 2], [flags, 2], [sequence, 4], [0, 4]), body]);
}

/** Asks the kernel for one thing, and waits for its answer: what was refused, or that it was done. */
export function netlinkRequest(
  protocol: number,
  type: number,
  body: Uint8Array,
  did: string,
  options: {readonly optional?: boolean; readonly create?: boolean} = {},
): Operation[] {
  const flags = NLM_F_REQUEST + NLM_F_ACK + (options.create ? NLM_F_CREATE + NLM_F_EXCL : 0);
  return [
    socket(AF.netlink, 3, protocol, `AF_NETLINK, ${did}`),
    send(netlinkMessage(type, flags, body), `send(${did})`),
    {...acknowledge(did), ...(options.optional ? {call: ['ack', '-', '?', 'rsocket'] as const} : {})},
  ];
}

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFNL_SUBSYS_NFTABLES = 10;

/** An empty table of nf_tables, made or removed: a batch of three messages, of which the middle one is answered. */
export function nftTable(verb: 'make' | 'remove', table: string): Operation[] {
  const family = struct([2, 1], [0, 1], [0, 2]);
  const batch = struct([0, 1], [0, 1], [NFNL_SUBSYS_NFTABLES * 256, 2]);
  const type = NFNL_SUBSYS_NFTABLES * 256 + (verb === 'make' ? NFT_MSG_NEWTABLE : NFT_MSG_DELTABLE);
  const flags = NLM_F_REQUEST + NLM_F_ACK + (verb === 'make' ? NLM_F_CREATE : 0);
  const messages = [
    netlinkMessage(16, NLM_F_REQUEST, batch, 1),
    netlinkMessage(type, flags, Buffer.concat([family, attribute(1, name(table))]), 2),
    netlinkMessage(17, NLM_F_REQUEST, batch, 3),
  ];
  const did = `nf_tables: ${verb} table ${table}`;
  return [
    socket(AF.netlink, 3, NETLINK.netfilter, 'AF_NETLINK, NETLINK_NETFILTER'),
    send(Buffer.concat(messages), `send(${did})`),
    acknowledge(did),
  ];
}

const RTM = {newlink: 16, dellink: 17, newaddr: 20, deladdr: 21, newroute: 24, delroute: 25} as const;

/** A bridge, made or removed. */
export function bridge(verb: 'make' | 'remove', link: string): Operation[] {
  const header = struct([0, 1], [0, 1], [0, 2], [0, 4], [0, 4], [0, 4]);
  const kind = attribute(18, attribute(1, Buffer.from('bridge')));
  const body = Buffer.concat([header, attribute(3, name(link)), ...(verb === 'make' ? [kind] : [])]);
  const type = verb === 'make' ? RTM.newlink : RTM.dellink;
  return netlinkRequest(NETLINK.route, type, body, `${verb} bridge ${link}`, {create: verb === 'make'});
}

function inet(address: string): Uint8Array {
  return Uint8Array.from(address.split('.').map(Number));
}

/** An address with all its bits on the loopback interface, which has the index 1 in every network namespace. */
export function loopbackAddress(verb: 'make' | 'remove', address: string): Operation[] {
  const header = struct([AF.inet, 1], [32, 1], [0, 1], [0, 1], [1, 4]);
  const body = Buffer.concat([header, attribute(2, inet(address)), attribute(1, inet(address))]);
  const type = verb === 'make' ? RTM.newaddr : RTM.deladdr;
  return netlinkRequest(NETLINK.route, type, body, `${verb} address ${address}/32`, {create: verb === 'make'});
}

/** A blackhole route to one address. */
export function blackhole(verb: 'make' | 'remove', address: string): Operation[] {
  const [main, boot, universe, type] = [254, 3, 0, 6];
  const header = struct([AF.inet, 1], [32, 1], [0, 1], [0, 1], [main, 1], [boot, 1], [universe, 1], [type, 1], [0, 4]);
  const body = Buffer.concat([header, attribute(1, inet(address))]);
  const message = verb === 'make' ? RTM.newroute : RTM.delroute;
  return netlinkRequest(NETLINK.route, message, body, `${verb} route blackhole ${address}/32`, {
    create: verb === 'make',
  });
}
