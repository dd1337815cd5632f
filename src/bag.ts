/**
 * What is under way, in no order. For things that come and go by the thousand a second: a Set of them is copied again and again,
 * and each copy that is left behind leads to the next one, so that the collector of young memory frees none of them.
 */
export class Bag<T extends object> implements Iterable<T> {
  readonly #places: (T | null)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#places.length - this.#free.length;
  }

  /** The returned function takes it out again; idempotent. */
  add(thing: T): () => void {
    let place = this.#free.pop() ?? this.#places.length;
    this.#places[place] = thing;
    return () => {
      if (place < 0) return;
      this.#places[place] = null;
      this.#free.push(place);
      place = -1;
    };
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const thing of this.#places) if (thing !== null) yield thing;
  }
}
