import { checkInstance } from './check.js'
import type { Device } from './device.js'
import { badArgument } from './errors.js'
import { fromNative, type NativeMark, native } from './native.js'

/** A point in the order of a device's ops: `device.mark()`. On a GPU it is an event in its stream. */
export class Mark {
  readonly #device: Device
  readonly #native: NativeMark

  /** @internal Use `device.mark()`. */
  constructor(device: Device) {
    this.#device = device
    this.#native = native.mark(device.queue)
  }

  /**
   * Resolves, when the device has reached both, with the seconds that it took from this mark to a later one, by its own clock: on a GPU
   * within half a microsecond. Negative where `later` is the earlier one.
   *
   * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT for what is no mark, ERR_DEVICE for another device's; ERR_DEVICE_LOST.
   */
  async secondsUntil(later: Mark): Promise<number> {
    checkInstance('secondsUntil', 'later', later, Mark)
    if (later.#device !== this.#device) {
      throw badArgument(
        'secondsUntil',
        'later',
        `a mark of ${this.#device.name}`,
        later.#device.name,
        'ERR_DEVICE',
      )
    }
    try {
      return await native.secondsBetween(this.#device.queue, this.#native, later.#native)
    } catch (error) {
      throw fromNative(error)
    }
  }
}
