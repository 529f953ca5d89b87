import type { MaskCounter, Module } from '../nn/index.js'

/**
 * Runs a model in evaluation mode, or with dropout on, and then restores its mode and its dropout counters. Masks that are drawn
 * here have separate counters, which continue from call to call.
 */
export class Inference {
  readonly #model: Module
  readonly #dropout: boolean
  readonly #modules: readonly Module[]
  readonly #own: Map<MaskCounter, number>

  constructor(model: Module, dropout: boolean) {
    this.#model = model
    this.#dropout = dropout
    this.#modules = model.modules()
    this.#own = new Map(model.namedMasks().map(([, counter]) => [counter, counter.step]))
  }

  /** Runs a synchronous function. */
  run<T>(f: () => T): T {
    const leave = this.#enter()
    try {
      return f()
    } finally {
      leave()
    }
  }

  /** Runs an async function until its promise settles. Do not train the model before that. */
  async runAsync<T>(f: () => Promise<T>): Promise<T> {
    const leave = this.#enter()
    try {
      return await f()
    } finally {
      leave()
    }
  }

  #enter(): () => void {
    const modes = this.#modules.map(module => [module, module.training] as const)
    const steps = [...this.#own.keys()].map(counter => [counter, counter.step] as const)
    this.#model.train(this.#dropout)
    for (const [counter, step] of this.#own) counter.step = step
    return () => {
      for (const [counter, step] of steps) {
        this.#own.set(counter, counter.step)
        counter.step = step
      }
      for (const [module, training] of modes) module.training = training
    }
  }
}
