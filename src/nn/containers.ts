import { checkInstance, checkInteger, checkList } from '../check.js'
import { badArgument } from '../errors.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import type { Float } from '../tensor.js'
import { Module } from './module.js'

/** What the layers of a `Sequential` pass on: a tensor, a batch of rows, or at first a batch of ids. */
export type Activations = Float | PackedSequence | PackedIds

/** A module whose `forward` takes one value and returns one. */
export interface Layer extends Module {
  /** What the layer computes of x. */
  forward(x: Activations): Float | PackedSequence
}

/**
 * Modules in a row, as torch.nn.Sequential: each reads what the one before returned. Their names are '0', '1', ….
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const net = new nn.Sequential(
 *   new nn.Linear({ inFeatures: 4, outFeatures: 8 }),
 *   new nn.ReLU(),
 *   new nn.Linear({ inFeatures: 8, outFeatures: 2 }),
 * )
 * console.log(net.forward(randn([3, 4])).shape) // [3, 2]
 * ```
 */
export class Sequential extends Module {
  readonly #layers: readonly Layer[]

  /** @throws PackedRnnError if a layer is not a module with a `forward`. */
  constructor(...layers: readonly Layer[]) {
    super(sharedDevice(layers))
    layers.forEach((layer, i) => {
      checkInstance('nn.Sequential', `layers[${i}]`, layer, Module)
      if (typeof layer.forward !== 'function') {
        throw badArgument('nn.Sequential', `layers[${i}]`, 'a module with a forward', layer.constructor.name)
      }
      this.registerModule(String(i), layer)
    })
    this.#layers = [...layers]
  }

  /** Number of layers. */
  get length(): number {
    return this.#layers.length
  }

  /** The layers in order. */
  [Symbol.iterator](): IterableIterator<Layer> {
    return this.#layers[Symbol.iterator]()
  }

  /**
   * @param x what the first layer reads.
   * @returns what the last layer returns, for rows a batch of rows and for a tensor a tensor.
   * @throws PackedRnnError as the layers do, and without layers if x is a batch of ids.
   */
  forward<X extends Activations>(x: X): X extends Float ? Float : PackedSequence
  forward(x: Activations): Activations {
    return this.#layers.reduce((value: Activations, layer) => layer.forward(value), x)
  }
}

/**
 * A list of modules, as torch.nn.ModuleList: assign it to a property, and its modules are registered as `name.0`, `name.1`, ….
 *
 * @example
 * ```ts
 * import { nn } from 'packed-rnn'
 *
 * class Stack extends nn.Module {
 *   layers = new nn.ModuleList([1, 2].map(() => new nn.Linear({ inFeatures: 2, outFeatures: 2 })))
 * }
 * console.log(new Stack().namedParameters().length) // 4
 * ```
 */
export class ModuleList<M extends Module = Module> extends Module {
  readonly #modules: M[] = []

  /** @throws PackedRnnError if one of them is not a module. */
  constructor(modules: readonly M[] = []) {
    checkList('nn.ModuleList', 'modules', modules, 'modules')
    super(sharedDevice(modules))
    for (const module of modules) this.append(module)
  }

  /** Number of modules. */
  get length(): number {
    return this.#modules.length
  }

  /** Adds a module at the end; returns the list. */
  append(module: M): this {
    checkInstance('nn.ModuleList', `modules[${this.length}]`, module, Module)
    this.registerModule(String(this.length), module)
    this.#modules.push(module)
    return this
  }

  /** Module i, counted from the end if i is negative. @throws PackedRnnError if there is none. */
  at(i: number): M {
    checkInteger('nn.ModuleList', 'i', i, -this.length, this.length - 1)
    return this.#modules.at(i)!
  }

  /** The modules in order. */
  [Symbol.iterator](): IterableIterator<M> {
    return this.#modules[Symbol.iterator]()
  }
}

/** A container opens no device: it is where its modules are. */
function sharedDevice(modules: readonly Module[]) {
  const [first] = modules.flatMap(module => (module instanceof Module ? module.parameters() : []))
  return first === undefined ? {} : { device: first.device }
}
