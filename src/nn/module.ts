import { checkFunction, checkInstance, checkOptions, type OptionNames } from '../check.js'
import { Device, deviceOr } from '../device.js'
import { badArgument } from '../errors.js'
import { defaultGenerator, type Generator } from '../random.js'
import {
  checkEntry,
  type Float,
  type Shape,
  type StateEntry,
  sizeOf,
  type Tensor,
  tensor,
} from '../tensor.js'
import { MaskCounter } from './masks.js'
import { buffer, isMarked, type Parameter, parameter } from './parameter.js'

/** Options of `loadStateDict`. */
export interface LoadOptions {
  /** Whether the names must match the module's exactly; default true. */
  strict?: boolean
}

/** The names that a module and a state dict do not share. */
export interface LoadResult {
  /** Parameters and buffers of the module that were left unchanged. */
  missing: string[]
  /** Names in the state dict that the module does not have. */
  unexpected: string[]
}

/** Options of every module. */
export interface ModuleOptions {
  /** Where parameters live; default `device()`. */
  device?: Device
  /** The source of initial values and dropout masks; default the generator that `manualSeed` seeds. */
  generator?: Generator
}

/** @internal */
export const moduleNames: OptionNames<ModuleOptions> = { device: true, generator: true }

/** What a module holds itself, by property. */
interface Parts {
  parameters: [string, Parameter][]
  buffers: [string, Float][]
  modules: [string, Module][]
}

/**
 * The base class of all modules, as torch.nn.Module. Assigning a module, a `parameter` or a `buffer` to a property registers
 * it under the property's name, which is its name in the state dict. Assigning another one replaces it, and two properties may
 * share one: it is listed once, under its first name.
 *
 * Parts in a plain array or object are an error: use `ModuleList`. `#private` fields cannot be seen and are never registered.
 * Parameters and buffers live until the module is disposed, also beyond a `scope`.
 *
 * @example
 * ```ts
 * import { nn, packSequence, type PackedIds } from 'packed-rnn'
 *
 * class Net extends nn.Module {
 *   embedding = new nn.Embedding({ numEmbeddings: 10, embeddingDim: 4 })
 *   lstm = new nn.LSTM({ inputSize: 4, hiddenSize: 8 })
 *   head = new nn.Linear({ inFeatures: 8, outFeatures: 2 })
 *   forward(ids: PackedIds) {
 *     return this.head.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
 *   }
 * }
 * console.log(new Net().forward(packSequence([[1, 2, 3], [4]])).shape) // [2, 2]
 * ```
 */
export abstract class Module {
  /** Whether the module is in training mode: dropout is active, and batch norm uses the batch's statistics. */
  training = true
  /** Where parameters live. */
  protected device: Device
  /** The source of initial values. */
  protected readonly generator: Generator

  /** @throws PackedRnnError if no device opens, or `device` is not one. Subclasses check their own options. */
  constructor(options: ModuleOptions = {}) {
    this.device = deviceOr(options.device, 'nn.Module')
    this.generator = options.generator ?? defaultGenerator()
  }

  /** All parameters by name, frozen ones included, as `lstm.weight_ih_l0`. Shared parameters are listed once. */
  namedParameters(): [string, Parameter][] {
    return once(this.#named(({ parameters }) => parameters))
  }

  /** All parameters, frozen ones included: optimisers skip those that have no gradient. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, value]) => value)
  }

  /** All buffers by name. */
  namedBuffers(): [string, Float][] {
    return once(this.#named(({ buffers }) => buffers))
  }

  /** All buffers. */
  buffers(): Float[] {
    return this.namedBuffers().map(([, value]) => value)
  }

  /** The modules that this one holds itself, by name. */
  namedChildren(): [string, Module][] {
    return once(partsOf(this).modules)
  }

  /** The modules that this one holds itself. */
  children(): Module[] {
    return this.namedChildren().map(([, module]) => module)
  }

  /** This module, named '', and all modules below it, each before its own children. */
  namedModules(): [string, Module][] {
    return walk(this).map(([name, module]) => [name, module])
  }

  /** This module and all modules below it. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module)
  }

  /** The counters of dropout masks, by module and property: a run that resumes sets their `step`. */
  namedMasks(): [string, MaskCounter][] {
    return walk(this).flatMap(([name, module]) =>
      Object.entries(module).flatMap(([property, value]): [string, MaskCounter][] =>
        value instanceof MaskCounter ? [[join(name, property), value]] : [],
      ),
    )
  }

  /** Calls `fn` with every module, children before their parent, and returns this module. */
  apply(fn: (module: Module) => void): this {
    checkFunction('nn.Module.apply', 'fn', fn)
    const seen = new Set<Module>()
    const visit = (module: Module): void => {
      if (seen.has(module)) return
      seen.add(module)
      for (const child of module.children()) visit(child)
      fn(module)
    }
    visit(this)
    return this
  }

  /** Sets the mode of this module and all below it; returns this module. */
  train(training = true): this {
    for (const module of this.modules()) module.training = training
    return this
  }

  /** Sets evaluation mode, as `train(false)`; returns this module. */
  eval(): this {
    return this.train(false)
  }

  /** Stops training all parameters: they require no gradient, and optimisers skip them. Returns this module. */
  freeze(): this {
    for (const each of this.parameters()) each.requiresGrad = false
    return this
  }

  /** Undoes `freeze`; returns this module. */
  unfreeze(): this {
    for (const each of this.parameters()) each.requiresGrad = true
    return this
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const each of this.parameters()) {
      each.grad?.dispose()
      each.grad = null
    }
  }

  /**
   * Moves parameters, buffers and gradients to a device. The tensors stay the same objects. Move a module before you make its
   * optimiser, whose state stays where it is; do not change parameters before the promise resolves.
   *
   * @returns this module.
   * @throws PackedRnnError (rejects) if an op that computed a parameter failed; nothing has moved then.
   */
  async to(device: Device): Promise<this> {
    checkInstance('nn.Module.to', 'device', device, Device)
    const tensors = [...this.parameters().flatMap(each => [each, each.grad ?? []].flat()), ...this.buffers()]
    const values = await Promise.all(tensors.map(each => each.toArray()))
    for (const [i, each] of tensors.entries()) each.move(device, values[i]!)
    for (const module of this.modules()) module.device = device
    return this
  }

  /**
   * Copies parameters and buffers by name, as they are after all ops issued so far.
   * @throws PackedRnnError (rejects) if an op that computed one failed, or one was disposed.
   */
  async stateDict(): Promise<Map<string, StateEntry>> {
    const named = once(this.#named(stateOf))
    const values = await Promise.all(named.map(([, value]) => value.toArray()))
    return new Map(named.map(([name, { shape }], i) => [name, { shape, data: values[i]! }]))
  }

  /**
   * Sets parameters and buffers by name. Everything is checked before anything changes. A shared parameter is found under each of
   * its names.
   *
   * @returns the names that `state` lacks, and those that the module does not have; none with `strict`.
   * @throws PackedRnnError if a shape differs, or, with `strict`, a name is missing or unknown.
   */
  loadStateDict(state: ReadonlyMap<string, StateEntry>, options: LoadOptions = {}): LoadResult {
    const op = 'loadStateDict'
    checkOptions(op, options, { strict: true })
    const { strict = true } = options
    const all = this.#named(stateOf)
    const named = new Map(all)
    const names = new Map<Float, string[]>()
    for (const [name, value] of all) names.set(value, [...(names.get(value) ?? []), name])
    const missing = [...names.values()]
      .filter(each => !each.some(name => state.has(name)))
      .map(each => each[0]!)
    const unexpected = [...state.keys()].filter(name => !named.has(name))
    if (strict && unexpected[0] !== undefined) {
      throw badArgument(op, unexpected[0], `one of ${[...named.keys()].join(', ')}`, unexpected[0])
    }
    if (strict && missing[0] !== undefined) throw badArgument(op, missing[0], 'a value', undefined)
    const found = [...names].flatMap(([value, each]) => {
      const name = each.find(one => state.has(one))
      const entry = name === undefined ? undefined : state.get(name)
      return name === undefined || entry === undefined ? [] : [{ name, value, entry }]
    })
    for (const { name, value, entry } of found) checkEntry(op, name, entry, value.shape)
    for (const { value, entry } of found) value.assign(entry.data)
    return { missing, unexpected }
  }

  /** Registers a parameter under a name that is not known until run time. @returns the tensor. @throws PackedRnnError if the name is taken. */
  registerParameter<T extends Float>(name: string, value: T): T {
    return this.#register('registerParameter', name, parameter(value))
  }

  /** Registers a buffer under a name that is not known until run time. @returns the tensor. @throws PackedRnnError if the name is taken. */
  registerBuffer<T extends Float>(name: string, value: T): T {
    return this.#register('registerBuffer', name, buffer(value))
  }

  /** Registers a module under a name that is not known until run time. @returns the module. @throws PackedRnnError if the name is taken. */
  registerModule<M extends Module>(name: string, module: M): M {
    checkInstance('nn.Module.registerModule', 'module', module, Module)
    return this.#register('registerModule', name, module)
  }

  /** A parameter of these values, row-major. @deprecated since 0.2: assign `nn.parameter(tensor(…))` to a property. */
  protected parameter<R extends number>(
    name: string,
    shape: Shape<R>,
    values: Float32Array,
  ): Tensor<'float32', R> {
    return this.registerParameter(name, tensor<R>(values, shape, { device: this.device }))
  }

  /** A parameter of values uniform on [-bound, bound), registered under `name`. */
  protected uniform<R extends number>(name: string, shape: Shape<R>, bound: number): Tensor<'float32', R> {
    const values = Float32Array.from({ length: sizeOf(shape) }, () => this.generator.uniform(-bound, bound))
    return this.registerParameter(name, tensor<R>(values, shape, { device: this.device }))
  }

  /** A part of this module. @deprecated since 0.2: assign the module to a property. */
  protected child<M extends Module>(name: string, module: M): M {
    return this.registerModule(name, module)
  }

  /** Frees the memory of parameters, buffers and gradients, of this module and of all below it. */
  dispose(): void {
    for (const each of [...this.parameters(), ...this.buffers()]) {
      each.grad?.dispose()
      each.dispose()
    }
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** What all modules hold, with the path before each name; shared parts come once for each name. */
  #named<T>(select: (parts: Parts) => [string, T][]): [string, T][] {
    return walk(this).flatMap(([path, , parts]) =>
      select(parts).map(([name, value]): [string, T] => [join(path, name), value]),
    )
  }

  #register<T>(op: string, name: string, value: T): T {
    const free = typeof name === 'string' && /^[^.]+$/.test(name)
    const held: unknown = free ? Reflect.get(this, name) : null
    if (held !== undefined && held !== value) {
      throw badArgument(`nn.Module.${op}`, 'name', 'a free name without a dot', name)
    }
    Object.defineProperty(this, name, { value, enumerable: true, writable: true, configurable: true })
    return value
  }
}

function stateOf({ parameters, buffers }: Parts): [string, Float][] {
  return [...parameters, ...buffers]
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** Without those that came before under another name. */
function once<T>(named: [string, T][]): [string, T][] {
  const seen = new Set<T>()
  return named.filter(([, value]) => !seen.has(value) && seen.add(value))
}

/** A module and all below it, each once, before its children. */
function walk(root: Module): [string, Module, Parts][] {
  const found: [string, Module, Parts][] = []
  const seen = new Set<Module>()
  const visit = (path: string, module: Module): void => {
    if (seen.has(module)) return
    seen.add(module)
    const parts = partsOf(module)
    found.push([path, module, parts])
    for (const [name, child] of parts.modules) visit(join(path, name), child)
  }
  visit('', root)
  return found
}

function partsOf(module: Module): Parts {
  const parts: Parts = { parameters: [], buffers: [], modules: [] }
  for (const [name, value] of Object.entries(module)) {
    if (typeof value !== 'object' || value === null) continue
    if (value instanceof Module) parts.modules.push([name, value])
    else if (isMarked(value, 'parameter')) parts.parameters.push([name, value])
    else if (isMarked(value, 'buffer')) parts.buffers.push([name, value])
    else checkPlain(module, name, value, new Set())
  }
  return parts
}

/** Plain arrays and objects hold nothing that a property would register. */
function checkPlain(module: Module, name: string, value: object, seen: Set<object>): void {
  if (!isPlain(value) || seen.has(value)) return
  seen.add(value)
  for (const part of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof part !== 'object' || part === null) {
      if (Array.isArray(value)) return // ids or words, which may be many
      continue
    }
    if (part instanceof Module || isMarked(part, 'parameter') || isMarked(part, 'buffer')) {
      const wanted = part instanceof Module ? 'nn.ModuleList' : 'a property for each parameter'
      const got = `${part instanceof Module ? 'a module' : 'a parameter'} in ${Array.isArray(value) ? 'an array' : 'an object'}`
      throw badArgument(module.constructor.name, name, wanted, got)
    }
    checkPlain(module, name, part, seen)
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}
