import { PackedRnnError } from './errors.js'
import { type NativeBuffer, type NativeDevice, native } from './native.js'

/** Released buffers, kept for reuse. */
const released: NativeBuffer[] = []
const MOST_RELEASED = 1024

/** Returns a buffer whose memory is allocated by the op that writes it. @internal */
export function unborn(): NativeBuffer {
  return released.pop() ?? native.handle()
}

/** An update of memory that is deferred until the memory is read. @internal */
export interface Deferred {
  /** Issues the update: for all of the memory, or for the `count` rows with these ids, each once. */
  settle(ids?: NativeBuffer, count?: number): void
  /** Issues the whole update and stops putting off further ones. */
  end(): void
}

/**
 * Device memory, reference-counted by its readers: tensors and the tape. `version` counts changes in place,
 * so that a backward pass detects that a saved tensor changed.
 *
 * Code that reads or changes the memory asks for `buffer`, which issues a deferred update first, so no reader
 * sees old values.
 * @internal
 */
export class Storage {
  version = 0
  deferred: Deferred | null = null
  /** Null once released: another tensor may reuse the buffer. */
  #memory: NativeBuffer | RowGradient | null
  #holders = 1

  constructor(memory: NativeBuffer | RowGradient) {
    this.#memory = memory
  }

  get buffer(): NativeBuffer {
    this.deferred?.settle()
    const memory = this.#held()
    if (!(memory instanceof RowGradient)) return memory
    const dense = memory.toDense()
    this.#memory = dense
    return dense
  }

  /** Returns the memory for an op that reads these rows only, each once. */
  bufferOfRows(ids: Storage, count: number): NativeBuffer {
    if (this.deferred === null) return this.buffer
    this.deferred.settle(ids.buffer, count)
    return this.unsettled
  }

  /**
   * The memory for code that handles the deferred update itself; for a gradient in rows, the memory of the
   * rows.
   */
  get unsettled(): NativeBuffer {
    const memory = this.#held()
    return memory instanceof RowGradient ? memory.parts.values.buffer : memory
  }

  /** The rows of a gradient that has not been read as a whole yet; null for all other memory. */
  get rows(): Readonly<GradientParts> | null {
    return this.#memory instanceof RowGradient ? this.#memory.parts : null
  }

  get shared(): boolean {
    return this.#holders > 1
  }

  retain(): Storage {
    this.#holders++
    return this
  }

  release(): void {
    if (--this.#holders > 0) return
    this.deferred?.end()
    const memory = this.#held()
    this.#memory = null
    if (memory instanceof RowGradient) {
      memory.release()
      return
    }
    native.release(memory)
    if (released.length < MOST_RELEASED) released.push(memory)
  }

  #held(): NativeBuffer | RowGradient {
    if (this.#memory === null) throw new PackedRnnError('ERR_DISPOSED', 'wanted memory, got released memory')
    return this.#memory
  }
}

/** The parts of a gradient in rows. Each storage is a reference that `RowGradient` owns. @internal */
export interface GradientParts {
  /** U, the rows that are held. */
  rows: number
  /** I */
  columns: number
  /** V */
  tableRows: number
  /** int32 [U], ascending, each once. */
  ids: Storage
  /** [U, I], not shared: clipping changes them in place. */
  values: Storage
  /**
   * The value of every element in the other rows: 0. Clipping by a norm that is NaN makes the whole gradient
   * NaN, this value included.
   */
  rest: Storage
}

/** The gradient of a table [V, I], stored as the rows that a batch has reached. @internal */
export class RowGradient {
  readonly parts: Readonly<GradientParts>
  readonly #queue: NativeDevice

  constructor(queue: NativeDevice, parts: GradientParts) {
    this.#queue = queue
    this.parts = parts
  }

  /** Returns the gradient as [V, I], and releases the parts. */
  toDense(): NativeBuffer {
    const { rows, columns, tableRows, ids, values, rest } = this.parts
    const count = tableRows * columns
    const dense = unborn()
    native.fill(this.#queue, { count, value: 0, from: rest.buffer, out: dense })
    native.addRows(this.#queue, {
      rows,
      columns,
      destinationRows: tableRows,
      source: values.buffer,
      index: ids.buffer,
      destination: dense,
    })
    this.release()
    return dense
  }

  release(): void {
    const { ids, values, rest } = this.parts
    for (const part of [ids, values, rest]) part.release()
  }
}
