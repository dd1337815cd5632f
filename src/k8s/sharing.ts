/** Gives equal texts and equal parts of objects back as one, so that they are kept once however many objects have them. */
export interface Sharing {
  /** Changes the given object, which nobody else may have. It stays an object of its own; what it consists of is shared. */
  share<T extends object>(object: T): T;
}

/** Longer texts are seldom equal. */
const longestText = 200;
/** JSON.parse gives texts up to this length back as one anyway. */
const longestOwn = 10;
/** Texts of a kind differ towards their end: names begin with what they are for. */
const hashedChars = 24;

/**
 * The objects of a run have the same labels, names and addresses over and over, and those of different runs the same
 * ports, resources and conditions. One place for each hash, where the newest stays: it costs no more than these tables, and
 * holds on to nothing for long. `places` is a power of two.
 */
export function createSharing(places = 1 << 16): Sharing {
  const texts = new Array<string | undefined>(places).fill(undefined);
  const parts = new Array<object | undefined>(places).fill(undefined);
  // What is elsewhere in memory is looked at only when it may be equal: that is what takes most of the time.
  const [textHashes, partHashes] = [new Int32Array(places), new Int32Array(places)];
  const mask = places - 1;
  /** Of what was shared last. */
  let hash = 0;

  /** The equal text that is kept already. */
  function keptText(text: string): string | undefined {
    hash = hashOf(text);
    if (text.length <= longestOwn || text.length > longestText) return undefined;
    const place = hash & mask;
    if (textHashes[place] === hash) {
      const known = texts[place];
      if (known === text) return known;
    }
    textHashes[place] = hash;
    texts[place] = text;
    return undefined;
  }

  /** The equal part that is kept already. */
  function keptPart(part: object): object | undefined {
    if (Array.isArray(part)) shareItems(part);
    else shareMembers(part as Members);
    const place = hash & mask;
    if (partHashes[place] === hash) {
      const known = parts[place];
      if (known !== undefined && areEqual(known, part)) return known;
    }
    partHashes[place] = hash;
    parts[place] = part;
    return undefined;
  }

  function shareItems(items: unknown[]): void {
    let sum = items.length;
    for (let index = 0; index < items.length; index += 1) {
      const kept = keptValue(items[index]);
      if (kept !== undefined) items[index] = kept;
      sum = mixed(sum, hash);
    }
    hash = sum;
  }

  function shareMembers(members: Members): void {
    let sum = -1;
    for (const key in members) {
      const kept = keptValue(members[key]);
      // What stays as it is is not written: V8 is slow at that.
      if (kept !== undefined) members[key] = kept;
      sum = mixed(sum + key.length, hash);
    }
    hash = sum;
  }

  function keptValue(value: unknown): unknown {
    if (typeof value === 'string') return keptText(value);
    if (typeof value === 'object' && value !== null) return keptPart(value);
    hash = Number(value) | 0;
    return undefined;
  }

  return {
    share(object) {
      if (Array.isArray(object)) shareItems(object);
      else shareMembers(object as Members);
      return object;
    },
  };
}

type Members = Record<string, unknown>;

/** Of parts whose own parts are shared already: equal ones are the same. */
function areEqual(known: object, part: object): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(known) && known.length === part.length && part.every((item, index) => item === known[index]);
  }
  if (Array.isArray(known)) return false;
  const [one, other] = [known as Members, part as Members];
  let left = 0;
  for (const key in other) {
    const member = one[key];
    if (member !== other[key] || member === undefined) return false;
    left += 1;
  }
  for (const _ in one) left -= 1;
  return left === 0;
}

function mixed(sum: number, value: number): number {
  const next = Math.imul(sum ^ value, 0x9e3779b1);
  return next ^ (next >>> 15);
}

function hashOf(text: string): number {
  let sum = text.length;
  for (let index = Math.max(0, sum - hashedChars); index < text.length; index += 1)
    sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193);
  return sum ^ (sum >>> 15);
}
