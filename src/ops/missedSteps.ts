import type { Device } from '../device.js'
import { missedStepsWords, mostMissedSteps, type NativeBuffer, native } from '../native.js'
import type { Deferred, GradientParts, Storage } from '../storage.js'

/**
 * Adam on a table [V, I] whose gradient is in rows: the rows that have one make the step, and the others put it off. The
 * device writes down each step's numbers, and how many of the steps each row has made; a row makes up for the others in
 * the same arithmetic, so that its bits are those of a step over all rows. A step that fails is not written down.
 *
 * The table, m, v and the largest v go together: whoever reads one of them settles them all.
 */
export class MissedSteps implements Deferred {
  readonly #device: Device
  readonly #shape: { rows: number; columns: number }
  readonly #tables: readonly Storage[]
  /** Of the tables, which may have other memory later: what was put off belongs to this. */
  readonly #buffers: readonly NativeBuffer[]
  /** `MissedSteps` in native/backend.h; zeros where no step was written yet. */
  readonly #written: NativeBuffer
  /** Steps that were issued since all rows were up to date, at least as many as are written down. */
  #issued = 0

  /** Those of these tables; made, and others of the tables ended, where they have none in common. */
  static of(device: Device, tables: readonly Storage[], gradient: Readonly<GradientParts>): MissedSteps {
    const known = tables[0]?.deferred
    if (known instanceof MissedSteps && known.#covers(tables)) return known
    for (const table of tables) table.deferred?.end()
    return new MissedSteps(device, tables, gradient)
  }

  private constructor(device: Device, tables: readonly Storage[], gradient: Readonly<GradientParts>) {
    this.#device = device
    this.#shape = { rows: gradient.tableRows, columns: gradient.columns }
    this.#tables = tables
    this.#buffers = tables.map(table => table.buffer)
    this.#written = native.allocate(device.queue, 4 * missedStepsWords(gradient.tableRows))
    for (const table of tables) table.deferred = this
  }

  #covers(tables: readonly Storage[]): boolean {
    return tables.length === this.#tables.length && tables.every((table, i) => table === this.#tables[i])
  }

  /** What a step is given that writes itself down. */
  issue(): NativeBuffer {
    if (this.#issued === mostMissedSteps) this.settle()
    this.#issued++
    return this.#written
  }

  settle(ids?: NativeBuffer, count?: number): void {
    if (this.#issued === 0) return
    const [parameter, mean, variance, maximum = null] = this.#buffers
    native.adamCatchUp(this.#device.queue, {
      ...this.#shape,
      count: count ?? 0,
      parameter: parameter!,
      mean: mean!,
      variance: variance!,
      maximum,
      missed: this.#written,
      ids: ids ?? null,
    })
    if (ids === undefined) this.#issued = 0
  }

  end(): void {
    this.settle()
    for (const table of this.#tables) table.deferred = null
    native.release(this.#written)
  }
}
