/** Texts kept by one interner; beyond that it begins anew, because then they are not the same few. */
const MAX_TEXTS = 1_000;

/** Gives the same value for the same text, made once. For values that nobody changes. */
export function interner<T>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined) return known;
    if (made.size >= MAX_TEXTS) made.clear();
    const value = make(text);
    made.set(text, value);
    return value;
  };
}
