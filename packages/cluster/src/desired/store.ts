/** A value that was written under a key, or what is left where it was removed. */
export interface StoredChange {
  key: string
  data: Uint8Array
  /** The number of the change: each is higher than all before. */
  revision: number
  isRemoved: boolean
}

/** Where what is wanted is kept: values by key, each written only over the one that its writer has read. */
export interface DesiredStore {
  /** Which store it is, as long as it lives, and its last change. Throws where it is not there. */
  state(): Promise<StoreState>
  /** The first change behind that number that still holds. Of each key, only the last one does. */
  next(after: number): Promise<StoredChange | undefined>
  get(key: string): Promise<StoredChange | undefined>
  /**
   * Writes over the change of that number; 0: where nothing was written ever.
   *
   * @returns Its number. Undefined: something else was written meanwhile.
   */
  put(key: string, data: Uint8Array, over: number): Promise<number | undefined>
  /** As `put`, and leaves a mark in place of the value. Whether it was written. */
  remove(key: string, over: number): Promise<boolean>
}

export interface StoreState {
  /** Differs where the store was made anew. */
  id: string
  last: number
}
