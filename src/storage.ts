import { PackedRnnError } from './errors.js'
import { type NativeBuffer, type NativeDevice, native } from './native.js'

/** Released buffers, to be used again. */
const released: NativeBuffer[] = []
const MOST_RELEASED = 1024

/** Memory that the op brings about which writes it. @internal */
export function unborn(): NativeBuffer {
  return released.pop() ?? native.handle()
}

/** What has to be done to memory before it is read, and may be put off until then. @internal */
export interface Deferred {
  /** Issues it: for all of the memory, or for the rows of it with these `count` ids, each once. */
  settle(ids?: NativeBuffer, count?: number): void
  /** Issues all of it, and puts off nothing any more. */
  end(): void
}

/**
 * Device memory, counted by those who may still read it: tensors, and the tape. `version` counts changes in place, so
 * that a backward pass can tell that what it saved is no longer there.
 *
 * Who reads or changes memory asks for `buffer`, which first does what was put off: so nobody sees that it was.
 * @internal
 */
export class Storage {
  version = 0
  deferred: Deferred | null = null
  /** Null once released: the buffer may be somebody else's then. */
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

  /** The memory for who reads no other rows than these, each once. */
  bufferOfRows(ids: Storage, count: number): NativeBuffer {
    if (this.deferred === null) return this.buffer
    this.deferred.settle(ids.buffer, count)
    return this.unsettled
  }

  /** The memory for who knows what was put off; of a gradient in rows these rows. */
  get unsettled(): NativeBuffer {
    const memory = this.#held()
    return memory instanceof RowGradient ? memory.parts.values.buffer : memory
  }

  /** The rows of a gradient that nobody has asked for as a whole yet; null for all other memory. */
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
    if (this.#memory === null)
      throw new PackedRnnError('ERR_DISPOSED', 'wanted memory, got what was released')
    return this.#memory
  }
}

/** The parts of a gradient in rows; each storage is a reference that goes with them. @internal */
export interface GradientParts {
  /** U, the rows that are held, I and V */
  rows: number
  columns: number
  tableRows: number
  /** int32 [U], ascending, each once */
  ids: Storage
  /** [U, I], nobody else's: clipping changes them in place. */
  values: Storage
  /**
   * One number, which is every element in the other rows: 0. Clipping by a norm that is not a number makes all of a
   * gradient NaN, and so this.
   */
  rest: Storage
}

/** The gradient of a table [V, I], as the rows of it that a batch has reached. @internal */
export class RowGradient {
  readonly parts: Readonly<GradientParts>
  readonly #queue: NativeDevice

  constructor(queue: NativeDevice, parts: GradientParts) {
    this.#queue = queue
    this.parts = parts
  }

  /** [V, I], in exchange for the parts. */
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
