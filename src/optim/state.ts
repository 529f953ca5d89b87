import { badArgument } from '../errors.js'
import { checkEntry, type StateEntry, type Tensor } from '../tensor.js'

/** What an optimiser steps: a tensor that `backward()` leaves a gradient in. */
export type Parameter = Tensor<'float32'>

/** Parameters that are stepped with the same options; each option may be set between steps. */
export type Group<Options> = Options & { readonly parameters: readonly Parameter[] }

/** What an optimiser has to remember for a run to continue with the same bits. */
export interface OptimizerState<Options> {
  /** The options of each group, which JSON can hold, and how many parameters it has. */
  groups: { options: Omit<Group<Options>, 'parameters'>; parameters: number }[]
  /**
   * By `<place>.<name>`, as in `0.exp_avg`: the place of the parameter, counted through all groups, and PyTorch's name
   * of the state. `0.step` counts the steps that a parameter has taken, up to 2²⁴. One that never had a gradient has no
   * state.
   */
  tensors: Map<string, StateEntry>
}

/** State has its parameter's shape, or is one number. */
export type StateKind = 'parameter' | 'scalar'
/** Name, shape, and for one number what it is where a saved state lacks it: without that it must be there. */
export type Kinds<Name> = readonly (readonly [name: Name, kind: StateKind, missing?: number])[]

/** `step` of a parameter that has state, where the rule asks only whether it is the first. */
export const ONCE_STEPPED = 1

/** A parameter at its place, and the state that it has once it was stepped. */
export interface Place<Name> {
  parameter: Parameter
  kinds: Kinds<Name>
}

export function shapeOf(parameter: Parameter, kind: StateKind): readonly number[] {
  return kind === 'parameter' ? parameter.shape : []
}

export function stateKey(place: number, name: string): string {
  return `${place}.${name}`
}

/** `groups` with the options that were saved, after those of `before`. Throws where it has other groups or options. */
export function savedGroups<Options>(
  op: string,
  groups: readonly Group<Options>[],
  saved: OptimizerState<Options>['groups'],
  before: object,
): Group<Options>[] {
  if (saved.length !== groups.length) throw badArgument(op, 'groups', `${groups.length} groups`, saved.length)
  return groups.map((group, i) => {
    const { parameters } = saved[i]!
    const options = { ...before, ...saved[i]!.options }
    if (parameters !== group.parameters.length) {
      throw badArgument(op, `groups[${i}].parameters`, String(group.parameters.length), parameters)
    }
    const [wanted, got] = [group, options].map(each =>
      Object.keys(each)
        .filter(name => name !== 'parameters')
        .sort()
        .join(', '),
    )
    if (wanted !== got) throw badArgument(op, `groups[${i}].options`, String(wanted), got)
    return { ...group, ...options }
  })
}

/**
 * The saved state of each parameter that has any, by name, with what it may lack. Throws for a name that no parameter has,
 * one that is missing beside others, and another shape.
 */
export function savedStates<Name extends string>(
  op: string,
  places: readonly Place<Name>[],
  tensors: ReadonlyMap<string, StateEntry>,
  implied: readonly string[],
): Map<Parameter, [string, StateEntry][]> {
  const states = new Map<Parameter, [string, StateEntry][]>()
  const known = new Set<string>()
  places.forEach(({ parameter, kinds }, place) => {
    for (const name of implied) known.add(stateKey(place, name))
    const found = kinds.flatMap(([name, kind]): [string, StateEntry][] => {
      const key = stateKey(place, name)
      const entry = tensors.get(key)
      known.add(key)
      if (entry === undefined) return []
      checkEntry(op, key, entry, shapeOf(parameter, kind))
      return [[name, entry]]
    })
    if (found.length === 0) return
    for (const [name, , value] of kinds) {
      if (tensors.has(stateKey(place, name))) continue
      if (value === undefined) throw badArgument(op, stateKey(place, name), 'a value', undefined)
      found.push([name, { shape: [], data: Float32Array.of(value) }])
    }
    states.set(parameter, found)
  })
  for (const key of tensors.keys()) {
    if (!known.has(key))
      throw badArgument(op, 'tensors', 'state of the parameters and options of this optimiser', key)
  }
  return states
}
