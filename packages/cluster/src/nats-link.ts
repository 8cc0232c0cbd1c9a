import type { Link } from '@appfactory/host/internal'
import { PluginError } from '@appfactory/sdk'
import { fromErrorObject, toErrorObject } from '@appfactory/sdk/internal'
import { type Bus, type BusChange, type BusMessage, isUndelivered } from './bus.js'
import { Channel } from './channel.js'
import type { LinkFigures } from './figures.js'
import {
  ahead,
  type Control,
  controlData,
  type Frame,
  type FrameKind,
  frameKinds,
  frameOf,
  maxFrameData,
  newFrame,
  nextNumber,
  readControl,
  readFrame,
} from './frames.js'
import { Liveness } from './liveness.js'
import { Outbox } from './outbox.js'
import type { Pulse } from './pulse.js'
import { type Budget, SendWindow } from './window.js'

/** Most bytes of each kind that one end takes ahead of its reader. */
export interface Windows {
  lines: number
  bytes: number
}

export interface NatsLinkOptions {
  bus: Bus
  pulse: Pulse
  /** Of all links of the connection. */
  budget: Budget
  /** Where stalls and resumes of all links of the connection are counted. Default: nowhere. */
  figures?: LinkFigures
  /** Subject of this end. Frames arrive beneath it. */
  here: string
  /** Subject of the other end. */
  there: string
  /** What this end takes. */
  takes: Windows
  /** What the other end takes. */
  gives: Windows
  /** The other end, in words: `node gpu-1`. */
  peer: string
  /** Name of the caller at the other end. */
  caller?: string
  /** How long it may be cut off, in ms. */
  resumeMs: number
  /** How long the other end may take to be there again where nobody reaches it, in ms. */
  graceMs: number
  /** Called once, when nothing is to arrive any more. */
  onOver(): void
}

/** How long what was written before `close()` may take to be sent, in ms. */
const lingerMs = 2000

/** Data of that length is kept as it has arrived, without a copy. */
const leastKept = 4096

/**
 * A link over a bus that may lose, repeat or reorder messages, and never says so: frames are numbered and kept until they are
 * taken in, each asks to be told where it reaches nobody, and no end sends more than the other one takes.
 */
export class NatsLink implements Link {
  readonly input: Channel
  readonly output: Channel
  readonly bytes: Channel
  declare readonly caller?: string
  readonly closed: Promise<PluginError | undefined>
  readonly #options: NatsLinkOptions
  readonly #outbox: Outbox
  readonly #liveness: Liveness
  readonly #endChanges: () => void
  #settle: (error: PluginError | undefined) => void = () => {}
  #isWaiting: () => boolean = () => false
  /** Number of the last frame that has arrived. */
  #received = 0
  #told: Windows = { lines: 0, bytes: 0 }
  /** The first frame that reached nobody. */
  #firstLost: number | undefined
  /** What has had no room since it was sent last. */
  readonly #stalled = new Set<keyof Windows>()
  #isClosing = false
  #isOver = false
  /** What told the other end why the link is broken. */
  #farewell: Buffer | undefined

  constructor(options: NatsLinkOptions) {
    const { budget, gives, caller, bus } = options
    this.#options = options
    if (caller !== undefined) this.caller = caller
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#outbox = new Outbox(new SendWindow(gives.lines, budget), new SendWindow(gives.bytes, budget))
    this.input = this.#channel(frameKinds.lines)
    this.output = this.input
    this.bytes = this.#channel(frameKinds.bytes)
    this.#liveness = new Liveness(options, {
      isWaiting: () => this.#isWaiting() || !this.#outbox.isEmpty,
      ask: (resume) => this.#tell({ ask: true, resume }),
      giveUp: (reason, lost) => this.#break(reason, lost),
    })
    this.#endChanges = bus.onChange((change) => this.#takeChange(change))
  }

  /** Where what this end sends goes. */
  get subject(): string {
    return this.#options.there
  }

  get isCut(): boolean {
    return !this.#liveness.isOpen
  }

  /** Told by who uses the link: while it is true, the link makes sure that the other end lives. */
  watch(isWaiting: () => boolean): void {
    this.#isWaiting = isWaiting
    this.#liveness.wake()
  }

  /** Makes sure once that the other end lives. */
  probe(): void {
    if (!this.#isOver) this.#liveness.probe()
  }

  /** What the other end has certainly not read, once the link is broken: the lines of frames that reached nobody. */
  get undelivered(): readonly Buffer[] {
    const lost = this.#firstLost === undefined ? [] : this.#outbox.linesFrom(this.#firstLost)
    return [...lost, ...this.output.dropped]
  }

  /** Takes a message from beneath the subject of this end. */
  receive(message: BusMessage): void {
    if (isUndelivered(message)) {
      if (!this.#isOver) this.#reachedNobody(message.subject)
      return
    }
    const frame = readFrame(message.data)
    if (this.#isOver) {
      this.#tellAgain(frame)
      return
    }
    if (typeof frame === 'string') this.#break(`a frame can’t be read: ${frame}`)
    else if (frame.kind === frameKinds.control) this.#receiveControl(frame)
    else this.#receiveNumbered(frame)
  }

  close(error?: PluginError): void {
    if (this.#isClosing || this.#isOver) return
    this.#isClosing = true
    this.#settle(error)
    if (error) {
      this.#end(error)
      return
    }
    setTimeout(() => this.#end(), lingerMs).unref()
    // What is still to come is for nobody.
    this.input.resume()
    this.bytes.resume()
    this.bytes.end(() => this.output.end(() => this.#end()))
  }

  #channel(kind: typeof frameKinds.lines | typeof frameKinds.bytes): Channel {
    const name = kind === frameKinds.lines ? 'lines' : 'bytes'
    const window = this.#outbox[name]
    const again = (): void => channel.pump()
    const channel = new Channel({
      room: () => {
        if (!this.#liveness.isOpen || this.#isOver) return 0
        if (window.room <= 0) this.#countStall(name)
        if (window.room <= 0 && window.isShort) this.#options.budget.wait(again)
        return Math.min(window.room, maxFrameData[name])
      },
      send: (length, fill) => this.#sendData(kind, length, fill),
      finish: () => {
        if (kind === frameKinds.lines && !this.#isClosing) this.#sendData(frameKinds.end, 0, () => {})
      },
      onTaken: () => this.#tellTaken(name),
    })
    return channel
  }

  /** Once until there is room again, however often is looked. */
  #countStall(name: keyof Windows): void {
    const { figures } = this.#options
    if (figures && !this.#stalled.has(name)) figures.stalls += 1
    this.#stalled.add(name)
  }

  #sendData(kind: FrameKind, length: number, fill: (frame: Buffer, offset: number) => void): void {
    this.#stalled.delete(kind === frameKinds.bytes ? 'bytes' : 'lines')
    const seq = this.#outbox.number()
    const { frame, offset } = newFrame(this.#header(kind, seq), length)
    fill(frame, offset)
    this.#outbox.keep(kind, { seq, frame, length })
    this.#publish(frame, seq)
    this.#liveness.wake()
  }

  #header(kind: FrameKind, seq: number) {
    const takenLines = this.input.taken
    const takenBytes = this.bytes.taken
    this.#told = { lines: takenLines, bytes: takenBytes }
    return { kind, seq, takenLines, takenBytes }
  }

  #publish(frame: Buffer, mark: number | 'c'): void {
    const { bus, here, there } = this.#options
    if (bus.isConnected) bus.publish(`${there}.f`, frame, `${here}.${mark}`)
  }

  #tell(control: Omit<Control, 'received'>): void {
    const data = controlData({ ...control, received: this.#received })
    this.#publish(frameOf(this.#header(frameKinds.control, this.#outbox.last), data), 'c')
  }

  /** After half of what this end takes. */
  #tellTaken(name: keyof Windows): void {
    const channel = name === 'lines' ? this.input : this.bytes
    if (this.#isOver || ahead(channel.taken, this.#told[name]) * 2 < this.#options.takes[name]) return
    this.#tell({ ask: false, resume: false })
  }

  #receiveControl(frame: Frame): void {
    const control = readControl(frame.data)
    if (!this.#takeTaken(frame)) return
    this.#liveness.heard()
    if (control.resume) this.#resume(control)
    else if (ahead(frame.seq, this.#received) > 0) this.#miss(frame.seq)
    else if (control.ask) this.#tell({ ask: false, resume: false })
    this.#pump()
  }

  #receiveNumbered(frame: Frame): void {
    const { seq, kind, data } = frame
    this.#liveness.heard()
    // It is broken: what is missing does not come any more.
    if (kind === frameKinds.close && data.length > 0) {
      this.#closeAs(data)
      return
    }
    // Sent again.
    if (ahead(seq, this.#received) <= 0) return
    if (seq !== nextNumber(this.#received)) {
      this.#miss(seq)
      return
    }
    if (!this.#takeTaken(frame)) return
    this.#received = seq
    this.#takeData(frame)
    this.#pump()
  }

  #takeData({ kind, data }: Frame): void {
    if (kind === frameKinds.close) this.#closeAs(data)
    else if (kind === frameKinds.end) this.input.receiveEnd()
    else {
      const name = kind === frameKinds.lines ? 'lines' : 'bytes'
      const channel = kind === frameKinds.lines ? this.input : this.bytes
      const excess = channel.waiting + data.length - this.#options.takes[name]
      if (excess > 0) this.#break(`it sent ${excess} bytes of ${name} more than this end takes`)
      else channel.receive(kept(data))
      this.#liveness.wake()
    }
  }

  /** A frame is missing. It is sent again where the bus has just lost messages; otherwise nobody knows what else is wrong. */
  #miss(seq: number): void {
    if (this.#liveness.mayLose) this.#liveness.resumeNow()
    else this.#break(`frame ${nextNumber(this.#received)} was lost: ${seq} came after ${this.#received}`)
  }

  /** The other end tells what it has, and gets the rest again. */
  #resume({ ask, received }: Control): void {
    const missing = this.#outbox.after(received)
    if (missing === undefined) {
      this.#break(`it tells of frame ${received}, and the last one was ${this.#outbox.last}`)
      return
    }
    this.#firstLost = undefined
    if (ask) this.#tell({ ask: false, resume: true })
    for (const { frame, seq } of missing) this.#publish(frame, seq)
    const { figures } = this.#options
    if (figures && !this.#liveness.isOpen) figures.resumes += 1
    this.#liveness.resumed()
  }

  #takeTaken({ takenLines, takenBytes }: Frame): boolean {
    const isRight =
      this.#outbox.take(frameKinds.lines, takenLines) && this.#outbox.take(frameKinds.bytes, takenBytes)
    if (!isRight) this.#break('it has taken in more than was sent')
    return isRight
  }

  #reachedNobody(subject: string): void {
    const seq = Number(subject.slice(subject.lastIndexOf('.') + 1))
    if (!Number.isNaN(seq) && (this.#firstLost === undefined || ahead(seq, this.#firstLost) < 0))
      this.#firstLost = seq
    this.#liveness.reachedNobody()
  }

  #takeChange(change: BusChange): void {
    const { there, here } = this.#options
    if (change.type !== 'refused') this.#liveness.takeChange(change)
    else if ([`${there}.f`, `${here}.*`].includes(change.subject))
      this.#break(`NATS does not allow this user the ${change.operation} of ${change.subject}`)
  }

  #pump(): void {
    this.output.pump()
    this.bytes.pump()
  }

  /** Who comes back after the link was broken has not heard of that. */
  #tellAgain(frame: Frame | string): void {
    const isFarewell = typeof frame === 'string' || frame.kind === frameKinds.close
    if (this.#farewell && !isFarewell) this.#publish(this.#farewell, 'c')
  }

  #closeAs(data: Uint8Array): void {
    this.#settle(data.length === 0 ? undefined : errorIn(data))
    this.#over()
  }

  #break(reason: string, lost: 'node' | 'link' = 'link'): void {
    const error = new PluginError(
      'PLUGIN_CRASHED',
      `The link to ${this.#options.peer} is broken: ${reason}`,
      {
        lost,
      },
    )
    this.#settle(error)
    this.#end(error)
  }

  /** Tells the other end that it is over, and why. */
  #end(error?: PluginError): void {
    if (this.#isOver) return
    const data = error ? Buffer.from(JSON.stringify(toErrorObject(error))) : Buffer.alloc(0)
    const frame = frameOf(this.#header(frameKinds.close, this.#outbox.number()), data)
    if (error) this.#farewell = frame
    this.#publish(frame, 'c')
    this.#over()
  }

  #over(): void {
    this.#isOver = true
    this.#endChanges()
    this.#liveness.end()
    for (const channel of [this.output, this.bytes]) channel.goSilent()
    this.#outbox.release()
    this.#options.onOver()
  }
}

/** What may wait for its reader: a small part would keep alive all that came with it, and a copy of a large one is garbage. */
function kept(data: Uint8Array): Buffer {
  const isLarge = data.length >= leastKept
  return isLarge ? Buffer.from(data.buffer, data.byteOffset, data.length) : Buffer.from(data)
}

/** The other end lives: what it has lost is the way to this one. */
function errorIn(data: Uint8Array): PluginError {
  try {
    const error = JSON.parse(Buffer.from(data).toString('utf8'))
    if (error.data?.lost !== undefined) error.data.lost = 'link'
    return fromErrorObject(error)
  } catch {
    return new PluginError(
      'PLUGIN_CRASHED',
      'The other end of the link closed it, with an error that can’t be read',
    )
  }
}
