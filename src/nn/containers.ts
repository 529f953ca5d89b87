import { checkInstance, checkInteger, checkList } from '../check.js'
import { badArgument } from '../errors.js'
import type { PackedIds, PackedSequence } from '../packed.js'
import type { Float } from '../tensor.js'
import { Module } from './module.js'

/** The input of a layer in a `Sequential`: a tensor, packed rows, or, for the first layer, packed ids. */
export type Activations = Float | PackedSequence | PackedIds

/** A module whose `forward` takes one value and returns one. */
export interface Layer extends Module {
  /** Computes the layer's output from x. */
  forward(x: Activations): Float | PackedSequence
}

/**
 * A chain of modules, as torch.nn.Sequential: each layer takes the output of the previous one. The layers are named '0', '1', ….
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

  /** The number of layers. */
  get length(): number {
    return this.#layers.length
  }

  /** Iterates over the layers in order. */
  [Symbol.iterator](): IterableIterator<Layer> {
    return this.#layers[Symbol.iterator]()
  }

  /**
   * Runs the layers one after the other.
   *
   * @param x the input of the first layer.
   * @returns the output of the last layer: a tensor for a tensor, packed rows for packed rows or ids.
   * @throws PackedRnnError if a layer throws.
   */
  forward<X extends Activations>(x: X): X extends Float ? Float : PackedSequence
  forward(x: Activations): Activations {
    return this.#layers.reduce((value: Activations, layer) => layer.forward(value), x)
  }
}

/**
 * A list of modules, as torch.nn.ModuleList. If you assign it to a property, its modules are registered as `name.0`, `name.1`, ….
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

  /** @throws PackedRnnError if an element is not a module. */
  constructor(modules: readonly M[] = []) {
    checkList('nn.ModuleList', 'modules', modules, 'modules')
    super(sharedDevice(modules))
    for (const module of modules) this.append(module)
  }

  /** The number of modules. */
  get length(): number {
    return this.#modules.length
  }

  /** Appends a module and returns the list. */
  append(module: M): this {
    checkInstance('nn.ModuleList', `modules[${this.length}]`, module, Module)
    this.registerModule(String(this.length), module)
    this.#modules.push(module)
    return this
  }

  /** Returns module i; a negative i counts from the end. @throws PackedRnnError if i is out of range. */
  at(i: number): M {
    checkInteger('nn.ModuleList', 'i', i, -this.length, this.length - 1)
    return this.#modules.at(i)!
  }

  /** Iterates over the modules in order. */
  [Symbol.iterator](): IterableIterator<M> {
    return this.#modules[Symbol.iterator]()
  }
}

/** Returns the device of the modules as an option, so that a container does not open the default device. */
function sharedDevice(modules: readonly Module[]) {
  const [first] = modules.flatMap(module => (module instanceof Module ? module.parameters() : []))
  return first === undefined ? {} : { device: first.device }
}
