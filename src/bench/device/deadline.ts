/** The reason if there was not enough time. */
export const TIME_OVER = 'not run: the time was over'

export class Deadline {
  readonly #end: number

  constructor(seconds: number) {
    this.#end = performance.now() + seconds * 1000
  }

  get seconds(): number {
    return Math.max(0, (this.#end - performance.now()) / 1000)
  }

  get over(): boolean {
    return performance.now() >= this.#end
  }
}
