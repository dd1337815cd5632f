/** How many calls may be under way at once: in all, and for one caller. */
export interface Slots {
  /** A function that gives the slot back, or null when there is none. `caller` null: only the total counts. */
  take(caller: string | null): (() => void) | null;
}

export function createSlots(limits: { total: number; perCaller: number }): Slots {
  const taken = new Map<string, number>();
  let total = 0;
  return {
    take(caller) {
      const own = caller === null ? 0 : (taken.get(caller) ?? 0);
      if (total >= limits.total || own >= limits.perCaller) return null;
      total++;
      if (caller !== null) taken.set(caller, own + 1);
      let given = false;
      return () => {
        if (given) return;
        given = true;
        total--;
        if (caller === null) return;
        const left = (taken.get(caller) ?? 1) - 1;
        if (left > 0) taken.set(caller, left);
        else taken.delete(caller);
      };
    },
  };
}
