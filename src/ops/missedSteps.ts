import type { Device } from '../device.js'
import { missedStepsWords, mostMissedSteps, type NativeBuffer, native } from '../native.js'
import type { Deferred, GradientParts, Storage } from '../storage.js'

/**
 * Adam on a table [V, I] whose gradient is in rows: rows with a gradient take the step at once, the others
 * put it off. The device records each step's numbers, and how many of the steps each row has taken. A row
 * catches up with the same arithmetic, so its bits are those of a step over all rows. A failed step is not
 * recorded.
 *
 * The table, m, v and the largest v belong together: reading one of them brings all up to date.
 */
export class MissedSteps implements Deferred {
  readonly #device: Device
  readonly #shape: { rows: number; columns: number }
  readonly #tables: readonly Storage[]
  /**
   * The tables' memory at the time: a table may get other memory later, but the deferred steps apply
   * to this.
   */
  readonly #buffers: readonly NativeBuffer[]
  /** `MissedSteps` in native/backend.h: the recorded steps, zeros at first. */
  readonly #written: NativeBuffer
  /** Steps issued since all rows were up to date; at least as many as are recorded. */
  #issued = 0

  /**
   * Returns the missed steps of these tables. If the tables don't share one yet, it ends those of the single
   * tables and makes a new one.
   */
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

  /** Returns the argument for a step that records itself. */
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
