import type { Scope } from '../../caller.ts';
import { viewOf } from './cursor.ts';
import { type Group, createGroup } from './group.ts';
import type { Member, StreamRequest } from './member.ts';

/** The groups that have members. */
export interface Groups<Item> {
  all(): Iterable<Group<Item, Member<Item>>>;
  /** The group of this filter in this scope, made when nobody is in it yet. */
  of(request: StreamRequest<Item>, scope: Scope): Group<Item, Member<Item>>;
  leave: (member: Member<Item>) => void;
}

export function createGroups<Item>(options: {
  writer: string;
  id: (item: Item) => string;
  includes: (scope: Scope, item: Item) => boolean;
  changed?: (before: Item, after: Item) => boolean;
  terminal: (item: Item) => string | null;
}): Groups<Item> {
  const { writer, id, includes, terminal, changed = () => true } = options;
  const groups = new Map<string, Group<Item, Member<Item>>>();
  const rules = { id, terminal, changed: onceForAll(changed) };
  return {
    all: () => groups.values(),
    of({ filter, matches }, scope) {
      const view = viewOf(filter, scope.key);
      const present = groups.get(view);
      if (present) return present;
      const visible = (item: Item) => includes(scope, item) && matches(item);
      const group = createGroup<Item, Member<Item>>({ writer, view, scope, visible }, rules);
      groups.set(view, group);
      return group;
    },
    leave: (member) => {
      const { group } = member;
      group.members.delete(member);
      if (group.members.size === 0 && groups.get(group.view) === group) groups.delete(group.view);
    },
  };
}

/** All groups ask about the same change in turn: the first answer serves them all. */
function onceForAll<Item>(compare: (before: Item, after: Item) => boolean): (before: Item, after: Item) => boolean {
  let known: { before: Item; after: Item; answer: boolean } | null = null;
  return (before, after) => {
    if (known?.before !== before || known.after !== after) known = { before, after, answer: compare(before, after) };
    return known.answer;
  };
}
