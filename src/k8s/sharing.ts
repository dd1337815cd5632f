/** Gives equal texts and equal parts of objects back as one, so that they are kept once however many objects have them. */
export interface Sharing {
  /** Changes the given object, which nobody else may have. It stays an object of its own; what it consists of is shared. */
  share<T extends object>(object: T): T;
}

/** Longer texts are seldom equal. */
const longestText = 200;

/**
 * The objects of a run have the same labels, names and addresses over and over, and those of different runs the same
 * ports, resources and conditions. One place for each hash, where the newest stays: it costs no more than these tables, and
 * holds on to nothing for long. `places` is a power of two.
 */
export function createSharing(places = 1 << 16): Sharing {
  const texts = new Array<string | undefined>(places).fill(undefined);
  const parts = new Array<object | undefined>(places).fill(undefined);
  const mask = places - 1;
  /** Of what was shared last. */
  let hash = 0;

  function shareText(text: string): string {
    hash = hashOf(text);
    if (text.length > longestText) return text;
    const place = hash & mask;
    const known = texts[place];
    if (known === text) return known;
    texts[place] = text;
    return text;
  }

  function sharePart(part: object): object {
    if (Array.isArray(part)) shareItems(part);
    else shareMembers(part as Members);
    const place = hash & mask;
    const known = parts[place];
    if (known !== undefined && areEqual(known, part)) return known;
    parts[place] = part;
    return part;
  }

  function shareItems(items: unknown[]): void {
    let sum = items.length;
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      if (typeof item === 'string') items[index] = shareText(item);
      else if (typeof item === 'object' && item !== null) items[index] = sharePart(item);
      else hash = Number(item);
      sum = mixed(sum, hash);
    }
    hash = sum;
  }

  function shareMembers(members: Members): void {
    let sum = -1;
    for (const key in members) {
      const member = members[key];
      if (typeof member === 'string') members[key] = shareText(member);
      else if (typeof member === 'object' && member !== null) {
        const part = sharePart(member);
        if (part !== member) members[key] = part;
      } else hash = Number(member);
      sum = mixed(sum + key.length, hash);
    }
    hash = sum;
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
  for (let index = 0; index < text.length; index += 1) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193);
  return sum ^ (sum >>> 15);
}
