declare const brand: unique symbol;

/** A value of type `T` that only the code which checked it can make. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };
