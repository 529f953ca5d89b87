import { MaskCounter } from '../nn/dropout.js'
import { Module } from '../nn/index.js'

/** What a module holds, by path: `encoder.lstm`. */
interface Parts {
  modules: Map<string, Module>
  masks: Map<string, MaskCounter>
}

/**
 * A module, the modules in its properties (lists and plain objects of modules too), and the counters of their dropout masks.
 * The path of the module itself is ''.
 */
function partsOf(root: Module): Parts {
  const parts: Parts = { modules: new Map(), masks: new Map() }
  const seen = new Set<object>()
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    const isModule = value instanceof Module
    if (!isModule && !(value instanceof MaskCounter) && !isPlain(value)) return
    seen.add(value)
    if (isModule) parts.modules.set(path, value)
    if (value instanceof MaskCounter) {
      parts.masks.set(path, value)
      return
    }
    const names = isModule ? Object.getOwnPropertyNames(value) : Object.keys(value)
    for (const name of names) {
      const part: unknown = Reflect.get(value, name)
      visit(part, path === '' ? name : `${path}.${name}`)
    }
  }
  visit(root, '')
  return parts
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}

/** The counters of a model's dropout masks, by path: `lstm.masks`. */
export function maskCounters(model: Module): Map<string, MaskCounter> {
  return partsOf(model).masks
}

/**
 * Runs a model in evaluation mode, or with dropout left on. The masks drawn here follow each other; the model's modes and its
 * next masks are afterwards as they were before.
 */
export class Inference {
  readonly #model: Module
  readonly #dropout: boolean
  readonly #parts: Parts
  readonly #own: Map<MaskCounter, number>

  constructor(model: Module, dropout: boolean) {
    this.#model = model
    this.#dropout = dropout
    this.#parts = partsOf(model)
    this.#own = new Map([...this.#parts.masks.values()].map(counter => [counter, counter.step]))
  }

  /** Synchronous: nothing else runs in between. */
  run<T>(f: () => T): T {
    const leave = this.#enter()
    try {
      return f()
    } finally {
      leave()
    }
  }

  /** Until the promise settles; the model must not be trained meanwhile. */
  async runAsync<T>(f: () => Promise<T>): Promise<T> {
    const leave = this.#enter()
    try {
      return await f()
    } finally {
      leave()
    }
  }

  #enter(): () => void {
    const modes = [...this.#parts.modules.values()].map(module => [module, module.training] as const)
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
