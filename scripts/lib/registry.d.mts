export interface Registry {
  /** With a `/` at its end. */
  url: string
  close(): void
}

export function startRegistry(folder: string, port?: number): Promise<Registry>
