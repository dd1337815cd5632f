/** So long may work go on before others get their turn: sockets are read and timers run in between. */
const longestTurnMs = 8;

let began: number | null = null;
let next: Promise<void> | null = null;

/** True when this turn of the event loop has worked long enough: whoever can, goes on in the next. */
export function turnIsOver(): boolean {
  const now = performance.now();
  if (began === null) {
    began = now;
    setImmediate(() => (began = null));
    return false;
  }
  return now - began > longestTurnMs;
}

/** Resolves in the next turn, after what waits there already. */
export function nextTurn(): Promise<void> {
  next ??= new Promise((resolve) =>
    setImmediate(() => {
      next = null;
      resolve();
    }),
  );
  return next;
}
