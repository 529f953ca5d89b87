import { checkOptions, checkTensor, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { clipValue } from '../ops/clip.js'
import { outlive } from '../scope.js'
import { type StateEntry, Tensor, tensor, unset } from '../tensor.js'
import {
  type Group,
  type Kinds,
  type OptimizerState,
  type Parameter,
  type Place,
  type StateKind,
  savedGroups,
  savedStates,
  shapeOf,
  stateKey,
} from './state.js'

/** Parameters with options of their own; the optimiser's defaults are the others. */
export type ParameterGroup<Options> = Partial<Options> & { readonly parameters: readonly Parameter[] }

/** What an optimiser is given to step: parameters, or groups of them. No parameter comes twice. */
export type Grouped<Options> = readonly Parameter[] | readonly ParameterGroup<Options>[]

/** The parameters of a group that have a gradient, as one step takes them. */
export interface Slots<Options, Name> {
  options: Group<Options>
  parameters: Parameter[]
  gradients: Parameter[]
  /** The state of each parameter; empty where the options ask for none of this name. */
  state(name: Name): Parameter[]
}

/** Groups of parameters on one device, their state, and the steps over those that have a gradient. */
export abstract class Optimizer<Options extends { lr: number }, Name extends string> {
  /** Options may be set between steps, as a `Scheduler` sets `lr`. */
  readonly groups: readonly Group<Options>[]
  readonly #op: string
  /** Of the options of a group, its parameters among them. */
  readonly #names: OptionNames<object>
  readonly #states = new Map<Parameter, Map<string, Parameter>>()

  /** @param names of all options; whoever calls has checked those of `defaults`. @internal */
  constructor(op: string, given: Grouped<Options>, defaults: Options, names: OptionNames<Options>) {
    this.#op = op
    this.#names = { ...names, parameters: true }
    this.groups = areParameters(given)
      ? [{ ...defaults, parameters: given }]
      : given.map(group => ({ ...defaults, ...group }))
    const seen = new Set<Parameter>()
    this.groups.forEach((group, i) => {
      const { parameters } = group
      const name = `${this.#at(i)}parameters`
      // Before the parameters, which may go by another name. A parameter in a group's place has names of its own.
      if (!(given[i] instanceof Tensor)) this.#checkNames(group, i)
      if (!Array.isArray(parameters)) throw badArgument(op, name, 'an array of parameters', parameters)
      for (const [j, parameter] of parameters.entries()) {
        const [first] = seen
        const wanted = { dtype: 'float32', ...(first && { device: first.device }) } as const
        checkTensor(op, `${name}[${j}]`, parameter, wanted)
        if (seen.has(parameter)) throw badArgument(op, `${name}[${j}]`, 'each parameter once', 'one again')
        seen.add(parameter)
      }
    })
    if (seen.size === 0) throw badArgument(op, 'parameters', 'at least one parameter', given)
    this.#checkOptions()
  }

  /** Throws ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for a bad option; `at` goes before its name. @internal */
  protected abstract check(op: string, at: string, options: Options): void
  /** The state that a step with these options needs. @internal */
  protected abstract kinds(options: Options): Kinds<Name>
  /** Options that a state may lack because it was saved before there were any, as they were then. @internal */
  protected before(): object {
    return { maximize: false }
  }
  /** What PyTorch's state has besides, and what follows from the rest: it is passed over. @internal */
  protected implied(): readonly string[] {
    return []
  }
  /** Issues one op that steps them all. @internal */
  protected abstract apply(slots: readonly Slots<Options, Name>[]): void

  /**
   * One step over the parameters that have a gradient; the others, and their state, stay as they are. All groups step
   * or none: where a gradient failed, nothing changes and the step does not count.
   *
   * @throws PackedRnnError ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an option that was set to something bad, or is
   * unknown; ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED for a `grad` that was set to something that does not fit.
   */
  step(): void {
    this.#checkOptions()
    const slots = this.groups.flatMap(options => {
      const parameters = options.parameters.filter(parameter => parameter.grad !== null)
      if (parameters.length === 0) return []
      const gradients = parameters.flatMap(parameter => parameter.grad ?? [])
      const kinds = this.kinds(options)
      const state = (wanted: Name) => {
        const kind = kinds.find(([name]) => name === wanted)?.[1]
        return kind === undefined ? [] : parameters.map(parameter => this.#state(parameter, wanted, kind))
      }
      return [{ options, parameters, gradients, state }]
    })
    if (slots.length > 0) this.apply(slots)
  }

  /** Drops all gradients: a parameter without one is not stepped. */
  zeroGrad(): void {
    for (const parameter of this.#parameters()) {
      parameter.grad?.dispose()
      parameter.grad = null
    }
  }

  /**
   * A copy of options and state as they are after the steps issued so far.
   * @throws PackedRnnError (rejects) with the failure of an op that computed them.
   */
  async stateDict(): Promise<OptimizerState<Options>> {
    const groups = this.groups.map(({ parameters, ...options }) => {
      return { options: structuredClone(options), parameters: parameters.length }
    })
    const state = this.#places(this.groups).flatMap(({ parameter, kinds }, place) => {
      if (!this.#states.has(parameter)) return []
      return kinds.map(([name, kind]) => ({
        key: stateKey(place, name),
        value: this.#state(parameter, name, kind),
      }))
    })
    // State whose first step failed has no memory yet; an op that updates it in place gives it its zeros.
    const values = state.map(({ value }) => value)
    if (values.length > 0) clipValue(values, Infinity)
    const arrays = await Promise.all(values.map(value => value.toArray()))
    const tensors = new Map<string, StateEntry>()
    for (const [i, { key, value }] of state.entries())
      tensors.set(key, { shape: value.shape, data: arrays[i]! })
    return { groups, tensors }
  }

  /**
   * Sets options and state to what `stateDict` returned for an optimiser of the same kind over parameters of the same
   * shapes, or state to that of one of PyTorch. `step` may be missing where the rule does not ask for the number, and counts
   * from 1 then: of `SGD`, of `RMSprop`, and of `Adagrad` without `lrDecay`. Options that are younger than a state are off.
   * All or nothing: everything is checked before anything changes.
   *
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for other groups, options or names, or for state that is missing, which it
   * names; ERR_SHAPE for another shape, ERR_OUT_OF_RANGE for a bad option.
   */
  loadStateDict(state: OptimizerState<Options>): void {
    const op = `${this.#op}.loadStateDict`
    const groups = savedGroups(op, this.groups, state.groups, this.before())
    this.#checkOptions(groups)
    const states = savedStates(op, this.#places(groups), state.tensors, this.implied())
    this.#clear()
    this.groups.forEach((group, i) => {
      Object.assign(group, groups[i])
    })
    for (const [parameter, entries] of states) {
      const { device } = parameter
      const made = new Map<string, Parameter>()
      for (const [name, { shape, data }] of entries) {
        made.set(name, outlive(tensor<number>(data, shape, { device })))
      }
      this.#states.set(parameter, made)
    }
  }

  /** Lets go of the state. The parameters are the caller's; a later step starts anew. */
  dispose(): void {
    this.#clear()
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** State of a parameter, or null where it has none of this name. The optimiser keeps it and changes it. @internal */
  protected stateOf(parameter: Parameter, name: Name): Parameter | null {
    return this.#states.get(parameter)?.get(name) ?? null
  }

  /** Made without memory: it is zeros when the first step that has memory for it runs. It outlives every scope. */
  #state(parameter: Parameter, name: Name, kind: StateKind): Parameter {
    const states = this.#states.get(parameter) ?? new Map<string, Parameter>()
    this.#states.set(parameter, states)
    const state = states.get(name) ?? outlive(unset(parameter.device, shapeOf(parameter, kind)))
    states.set(name, state)
    return state
  }

  #clear(): void {
    for (const states of this.#states.values()) {
      for (const state of states.values()) state.dispose()
    }
    this.#states.clear()
  }

  #parameters(): Parameter[] {
    return this.groups.flatMap(({ parameters }) => parameters)
  }

  #places(groups: readonly Group<Options>[]): Place<Name>[] {
    return groups.flatMap(group => {
      const kinds = this.kinds(group)
      return group.parameters.map(parameter => ({ parameter, kinds }))
    })
  }

  /** What goes before an option's name in a message. */
  #at(group: number): string {
    return this.groups.length === 1 ? '' : `groups[${group}].`
  }

  #checkNames(group: object, i: number): void {
    checkOptions(this.#op, group, this.#names, `groups[${i}]`)
  }

  #checkOptions(groups = this.groups): void {
    groups.forEach((group, i) => {
      this.#checkNames(group, i)
      this.check(this.#op, this.#at(i), group)
    })
  }
}

function areParameters<Options>(given: Grouped<Options>): given is readonly Parameter[] {
  return Array.isArray(given) && given.every(each => each instanceof Tensor)
}
