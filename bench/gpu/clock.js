/** Time that the parts of a run share: what one leaves the next ones have. */
export class Budget {
  #end
  #weights

  /** @param {Record<string, number>} weights the parts in their order, and what share each has */
  constructor(seconds, weights) {
    this.#end = performance.now() + seconds * 1000
    this.#weights = new Map(Object.entries(weights))
  }

  /** The next part begins. */
  start(part) {
    const rest = [...this.#weights.values()].reduce((sum, weight) => sum + weight, 0)
    const share = this.#weights.get(part) / rest
    this.#weights.delete(part)
    return new Deadline(Math.max(0, this.#end - performance.now()) * share)
  }
}

export class Deadline {
  #end

  constructor(milliseconds) {
    this.#end = performance.now() + milliseconds
  }

  get seconds() {
    return Math.max(0, (this.#end - performance.now()) / 1000)
  }

  get over() {
    return performance.now() >= this.#end
  }
}

/** Why something was left out that the time did not suffice for. */
export const TIME_OVER = 'not run: the time was over'
