/** What a program wrote: its log (stdout and stderr together) and the one file that it opened. */
export interface WasiRun {
  log: string
  file: Uint8Array
}

/** Success, and two errors, as WASI numbers them. */
const ok = 0
const badDescriptor = 8
const notSeekable = 29

/** 0 to 2 are the standard streams; then comes the one directory, and the one file in it. */
const directory = 3
const outputFile = 4

/** Thrown through WebAssembly to end the program, as WASI has it. */
class Exit {
  constructor(readonly code: number) {}
}

/**
 * Runs a WASI program (preview 1) to its end, in memory: it finds an empty directory `/out`, in which it may write one file.
 * Node's own `node:wasi` is experimental, warns of that, and would need a real directory.
 *
 * @throws Error where the program fails; its message holds the log.
 */
export function runWasi(program: WebAssembly.Module, args: readonly string[]): WasiRun {
  const encoder = new TextEncoder()
  const argv = args.map((argument) => encoder.encode(`${argument}\0`))
  const output = new OutputFile()
  const logParts: Uint8Array[] = []
  const instance = new WebAssembly.Instance(program, {
    wasi_snapshot_preview1: {
      args_sizes_get(countAt: number, bytesAt: number) {
        view().setUint32(countAt, argv.length, true)
        view().setUint32(
          bytesAt,
          argv.reduce((sum, { length }) => sum + length, 0),
          true,
        )
        return ok
      },
      args_get(pointersAt: number, bytesAt: number) {
        let address = bytesAt
        for (const [index, argument] of argv.entries()) {
          view().setUint32(pointersAt + 4 * index, address, true)
          bytes().set(argument, address)
          address += argument.length
        }
        return ok
      },
      clock_time_get(_clock: number, _precision: bigint, timeAt: number) {
        view().setBigUint64(timeAt, BigInt(Date.now()) * 1_000_000n, true)
        return ok
      },
      fd_close: () => ok,
      fd_fdstat_get(descriptor: number, statAt: number) {
        const characterDevice = 2
        const folder = 3
        const regularFile = 4
        const type =
          descriptor < directory ? characterDevice : descriptor === directory ? folder : regularFile
        const allRights = 0xffff_ffff_ffff_ffffn
        bytes().fill(0, statAt, statAt + 24)
        bytes()[statAt] = type
        view().setBigUint64(statAt + 8, allRights, true)
        view().setBigUint64(statAt + 16, allRights, true)
        return ok
      },
      fd_fdstat_set_flags: () => ok,
      fd_prestat_get(descriptor: number, statAt: number) {
        if (descriptor !== directory) return badDescriptor
        view().setUint32(statAt, 0, true)
        view().setUint32(statAt + 4, '/out'.length, true)
        return ok
      },
      fd_prestat_dir_name(_descriptor: number, nameAt: number, length: number) {
        bytes().set(encoder.encode('/out').subarray(0, length), nameAt)
        return ok
      },
      fd_read(_descriptor: number, _buffers: number, _count: number, readAt: number) {
        view().setUint32(readAt, 0, true)
        return ok
      },
      fd_seek(descriptor: number, offset: bigint, whence: number, positionAt: number) {
        if (descriptor !== outputFile) return notSeekable
        view().setBigUint64(positionAt, BigInt(output.seek(Number(offset), whence)), true)
        return ok
      },
      fd_write(descriptor: number, buffersAt: number, count: number, writtenAt: number) {
        let written = 0
        for (let buffer = buffersAt; buffer < buffersAt + 8 * count; buffer += 8) {
          const start = view().getUint32(buffer, true)
          const length = view().getUint32(buffer + 4, true)
          const data = bytes().slice(start, start + length)
          if (descriptor === outputFile) output.write(data)
          else logParts.push(data)
          written += length
        }
        view().setUint32(writtenAt, written, true)
        return ok
      },
      path_open(...parameters: number[]) {
        view().setUint32(parameters[8] ?? 0, outputFile, true)
        return ok
      },
      proc_exit(code: number) {
        throw new Exit(code)
      },
    },
  })
  const { memory, _start: start } = instance.exports
  if (!(memory instanceof WebAssembly.Memory) || typeof start !== 'function') {
    throw new TypeError('Not a WASI program: it exports no memory, or no _start')
  }
  // Made anew on every use: the buffer is another one after the memory has grown.
  const view = (): DataView => new DataView(memory.buffer)
  const bytes = (): Uint8Array => new Uint8Array(memory.buffer)
  const log = (): string => Buffer.concat(logParts).toString()
  try {
    start()
  } catch (error) {
    if (!(error instanceof Exit)) throw error
    if (error.code !== 0) throw new Error(`The program ended with exit code ${error.code}: ${log().trim()}`)
  }
  return { log: log(), file: output.contents() }
}

/** A file that grows in memory. */
class OutputFile {
  #bytes = new Uint8Array(1 << 16)
  #length = 0
  #position = 0

  seek(offset: number, whence: number): number {
    const from = [0, this.#position, this.#length][whence] ?? 0
    this.#position = from + offset
    return this.#position
  }

  write(data: Uint8Array): void {
    const end = this.#position + data.length
    if (end > this.#bytes.length) {
      // Doubled, so that many small writes take linear time.
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(data, this.#position)
    this.#position = end
    this.#length = Math.max(this.#length, end)
  }

  contents(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }
}
